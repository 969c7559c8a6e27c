/*
 * http_threads - what may wait for a database, each in a thread and with an asker of its own
 *
 * One keeps the history and answers from it, over the control database; one reads the proof of
 * a migration in its source. Neither keeps a probe waiting, nor the other one.
 */
#ifndef CLIENT_HTTP_HTTP_THREADS_H
#define CLIENT_HTTP_HTTP_THREADS_H

#include "bucardo_machine/error.h"
#include "client/http/http_ask.h"

/* Its asker, once the thread runs; NULL with `err`. Texts are borrowed. An answer is the page
 * as a text, or an object with the reason where there is none. */
struct http_asker *http_history_start(
		const char *runtime, const char *socket_dir, struct bm_error *err);
/* The attempts of cut-overs that are kept (json_decref()); NULL: nobody could ask yet. From any
 * thread, once the history was started. */
json_t *http_history_attempts(void);
struct http_asker *http_report_start(const char *runtime, struct bm_error *err);

#endif
