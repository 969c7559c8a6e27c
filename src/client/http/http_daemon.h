/*
 * http_daemon - the daemon's answers, for its asker
 *
 * Threads: one at a time for each asker.
 */
#ifndef CLIENT_HTTP_HTTP_DAEMON_H
#define CLIENT_HTTP_HTTP_DAEMON_H

#include "client/http/http_ask.h"

/* `ctx`: the runtime folder. Of HTTP_ASK_EVENTS the list, else the whole line. */
json_t *http_daemon_talk(void *ctx, const struct http_wanted *wanted, struct bm_error *err);

#endif
