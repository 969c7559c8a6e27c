/*
 * ask - one database asked with a limit in time
 *
 * libpq driven by poll(2), so that a server which is silent costs its own thread
 * the limit and no more. Only the name lookup inside connecting can block longer
 * than that. Texts of errors never hold a password.
 */
#ifndef WORKER_SESSION_ASK_H
#define WORKER_SESSION_ASK_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "worker/session/conninfo.h"

/*
 * Connect and pin the settings of `session` within `limit_msec`; NULL with `err` set
 * (BM_ERR_TRANSIENT, TIMEOUT; PRECONDITION when settings do not stay in force).
 */
PGconn *bm_ask_connect(const struct bm_conninfo *info, enum bm_session_kind session,
		uint64_t limit_msec, struct bm_error *err);

/*
 * Send `sql` (one statement, text parameters) and wait for its result within
 * `limit_msec`. NULL with `err` set: BM_ERR_SQL with sqlstate when the server
 * refused it and can be asked again, BM_ERR_TIMEOUT and BM_ERR_TRANSIENT when
 * the connection is of no use any more. The caller clears the result.
 */
PGresult *bm_ask(PGconn *conn, const char *sql, int param_count, const char *const *params,
		uint64_t limit_msec, struct bm_error *err);

/* One or more statements without parameters; the last result. */
PGresult *bm_ask_script(
		PGconn *conn, const char *sql, uint64_t limit_msec, struct bm_error *err);

/* The same in two halves, so that two servers work at once. Each bm_ask_send() that returned 0
 * is followed by one bm_ask_wait(). */
int bm_ask_send(PGconn *conn, const char *sql, int param_count, const char *const *params,
		struct bm_error *err);
PGresult *bm_ask_wait(PGconn *conn, uint64_t limit_msec, struct bm_error *err);

#endif
