/*
 * http_history - the thread of `worker http` that keeps the history, and answers from it
 *
 * It has an asker of its own: whoever waits for the control database waits here.
 */
#ifndef CLIENT_HTTP_HTTP_HISTORY_H
#define CLIENT_HTTP_HTTP_HISTORY_H

#include "bucardo_machine/error.h"
#include "client/http/http_ask.h"

/* Its asker, once the thread runs; NULL with `err`. Texts are borrowed. */
struct http_asker *http_history_start(
		const char *runtime, const char *socket_dir, struct bm_error *err);

#endif
