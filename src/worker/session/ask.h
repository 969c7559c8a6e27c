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
#include <stdbool.h>
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

/* The same without settings, for what is no database: a PgBouncer's console. Asked with
 * bm_ask_script() only. */
PGconn *bm_ask_connect_plain(
		const struct bm_conninfo *info, uint64_t limit_msec, struct bm_error *err);

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

/*
 * The parts of it, for who sends several statements (pipeline.h). Deadlines are times of
 * bm_clock_msec().
 */
int bm_ask_flush(PGconn *conn, uint64_t deadline_msec, struct bm_error *err);

/* The next result, or NULL at the end of a statement's. */
int bm_ask_next(PGconn *conn, uint64_t deadline_msec, PGresult **result, struct bm_error *err);
bool bm_ask_is_good(const PGresult *result);

/* Set `err` from a result that is not good, and from a session that is lost (-1). */
void bm_ask_failed(const PGconn *conn, const PGresult *result, struct bm_error *err);
int bm_ask_lost(const PGconn *conn, struct bm_error *err);

#endif
