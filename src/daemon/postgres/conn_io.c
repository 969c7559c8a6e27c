/*
 * Driving libpq by the loop: connecting, statements, results, limits.
 *
 * libpq never waits here: over a unix socket connect(2) on its non-blocking socket
 * either succeeds or fails at once, and everything after that is
 * PQconnectPoll(), PQconsumeInput() and PQflush() when the loop says so. What
 * can stand still is a wait of ours with a timer: a stopped postmaster takes
 * connections (its backlog) and never answers.
 *
 * One timer serves each state's wait: the pause before the next attempt, the
 * limit of an attempt, the limit of a statement, the grace after its cancel.
 *
 * Callbacks leave only from the three loop callbacks at the end of the file
 * (on_io, bm_conn_on_timer, on_delivery), which hold the object until they return; a
 * callback may thus query, close and destroy as it likes. `generation` tells
 * code after a callback whether the connection it worked on is still there.
 */
#include "daemon/postgres/conn.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/sessions.h"
#include "bucardo_machine/spawn.h"

/* A late statement is cancelled so often, after pauses of so long, before its session is
 * ended: a backend that had not begun with it when the signal came ignores the first one. */
#define CANCEL_TRIES 4
#define CANCEL_PAUSE_MSEC 500

/* Peer authentication asks for no password; libpq would look at the file in PGPASSFILE all
 * the same, and complain about its rights on our stderr at every attempt. */
#define NO_PASSFILE "/nonexistent"

/* ---- leaving ---- */

void bm_conn_fail_later(struct bm_conn *conn, struct bm_statement *statement,
		enum bm_error_code code, const char *reason)
{
	if (statement != NULL) {
		bm_error_set(&statement->error, code, "%s", reason);
		bm_statement_queue_add(&conn->failed, statement);
		bm_timer_arm(conn->delivery, 0);
	}
}

/* Take the connection down, without a word to the owner. Statements fail soon. */
void bm_conn_drop(struct bm_conn *conn, enum bm_error_code running_code, const char *reason)
{
	struct bm_statement *statement;

	conn->generation++;
	bm_timer_disarm(conn->timer);
	bm_watch_close(conn->watch);
	conn->watch = NULL;
	if (conn->running != NULL && conn->state == BM_CONN_LISTENING) {
		bm_statement_destroy(conn->running);
	} else {
		bm_conn_fail_later(conn, conn->running, running_code, reason);
	}
	conn->running = NULL;
	while ((statement = bm_statement_queue_take(&conn->waiting)) != NULL) {
		bm_conn_fail_later(conn, statement, BM_ERR_TRANSIENT, reason);
	}
	PQclear(conn->result);
	conn->result = NULL;
	PQfinish(conn->pg);
	conn->pg = NULL;
}

/* The connection is lost, or could not be made: say so, and try again. */
static void lose(struct bm_conn *conn, enum bm_error_code running_code, const char *reason)
{
	char *text = bm_pq_one_line(reason);

	bm_conn_drop(conn, running_code, text);
	free(conn->reason);
	conn->reason = bm_strdup(text);
	conn->state = BM_CONN_WAITING;
	bm_timer_arm(conn->timer, conn->retry_msec);
	conn->cb(conn->ctx, BM_CONN_DOWN, text); /* may close, which frees `reason` */
	free(text);
}

/* What libpq or the server said last; the server's own words are better. */
static void lose_with_reason(struct bm_conn *conn)
{
	struct bm_error err = BM_ERROR_INIT;

	if (conn->result != NULL && bm_pq_is_error(conn->result)) {
		bm_pq_result_error(conn->result, &err);
	} else {
		bm_error_set(&err, BM_ERR_TRANSIENT, "%s", PQerrorMessage(conn->pg));
	}
	lose(conn, conn->cancels > 0 ? BM_ERR_TIMEOUT : BM_ERR_TRANSIENT, err.message);
}

/* ---- connecting ---- */

static void on_io(void *ctx, int events);

static bool watch_socket(struct bm_conn *conn, int events)
{
	struct bm_error err = BM_ERROR_INIT;

	if (conn->watch != NULL) {
		if (bm_watch_change(conn->watch, events, &err) == 0) {
			return true;
		}
	} else {
		int fd = PQsocket(conn->pg);
		conn->watch = bm_watch_create(conn->loop, fd, events, on_io, conn, &err);
		if (conn->watch != NULL) {
			return true;
		}
	}
	lose(conn, BM_ERR_TRANSIENT, err.message);
	return false;
}

static void ignore_notice(void *ctx, const PGresult *result)
{
	(void)ctx;
	(void)result;
}

static PGconn *start_connecting(const struct bm_conn *conn)
{
	struct bm_strbuf options = BM_STRBUF_INIT;

	bm_session_options(BM_SESSION_CONTROL, &options);
	/* clang-format off */
	const char *const names[] = {
		"host", "dbname", "user", "application_name", "client_encoding",
		"sslmode", "gssencmode", "passfile", "options", NULL,
	};
	const char *const values[] = {
		conn->socket_dir, conn->dbname, conn->user, conn->application_name, "UTF8",
		"disable", "disable", NO_PASSFILE, bm_strbuf_text(&options), NULL,
	};
	/* clang-format on */
	PGconn *pg = PQconnectStartParams(names, values, 0);
	bm_strbuf_finish(&options);
	return pg;
}

static void begin_attempt(struct bm_conn *conn)
{
	conn->state = BM_CONN_CONNECTING;
	if (conn->socket_dir == NULL || conn->socket_dir[0] != '/') {
		lose(conn, BM_ERR_TRANSIENT, "the socket folder is not an absolute path");
		return;
	}
	conn->pg = start_connecting(conn);
	if (conn->pg == NULL) {
		lose(conn, BM_ERR_TRANSIENT, "out of memory");
		return;
	}
	PQsetNoticeReceiver(conn->pg, ignore_notice, NULL);
	if (PQstatus(conn->pg) == CONNECTION_BAD) {
		lose_with_reason(conn);
	} else if (watch_socket(conn, BM_IO_WRITE)) {
		bm_timer_arm(conn->timer, conn->connect_timeout_msec);
	}
}

/* ---- connected ---- */

/*
 * The backend as a process, for the cancel. A cancel request in libpq 15 blocks
 * (PQcancel() waits for the postmaster to hang up), so a late statement is
 * cancelled as the postmaster itself would do it: by SIGINT to the backend.
 */
static void know_backend(struct bm_conn *conn)
{
	struct bm_process process;
	pid_t pid = PQbackendPID(conn->pg);

	conn->backend = 0;
	if (pid > 0 && bm_process_read(pid, &process, NULL) == 0 && process.uid == geteuid() &&
			strncmp(process.title, "postgres", 8) == 0) {
		conn->backend = pid;
		conn->backend_start_time = process.start_time;
	}
}

static void become_up(struct bm_conn *conn)
{
	conn->state = BM_CONN_CONNECTED;
	bm_timer_disarm(conn->timer);
	free(conn->reason);
	conn->reason = NULL;
	conn->cb(conn->ctx, BM_CONN_UP, NULL);
}

/* Write what libpq still holds, and wait for what is due. */
static bool flush(struct bm_conn *conn)
{
	int rest = PQflush(conn->pg);

	if (rest < 0) {
		lose_with_reason(conn);
		return false;
	}
	return watch_socket(conn, rest > 0 ? BM_IO_READ | BM_IO_WRITE : BM_IO_READ);
}

static void run(struct bm_conn *conn, struct bm_statement *statement)
{
	conn->running = statement;
	conn->cancels = 0;
	if (conn->state == BM_CONN_CONNECTED) {
		bm_timer_arm(conn->timer, conn->query_timeout_msec);
	}
	if (!bm_statement_send(statement, conn->pg)) {
		lose_with_reason(conn);
		return;
	}
	flush(conn);
}

static void run_next(struct bm_conn *conn)
{
	if (conn->state == BM_CONN_CONNECTED && conn->running == NULL &&
			conn->waiting.head != NULL) {
		run(conn, bm_statement_queue_take(&conn->waiting));
	}
}

static void on_listening(void *ctx, const struct bm_result *result)
{
	struct bm_conn *conn = ctx;

	if (result->error != NULL) {
		lose(conn, BM_ERR_TRANSIENT, result->error->message);
	} else {
		become_up(conn);
	}
}

static void on_connected(struct bm_conn *conn)
{
	PQsetnonblocking(conn->pg, 1);
	know_backend(conn);
	if (!watch_socket(conn, BM_IO_READ)) {
		return;
	}
	if (conn->listen_sql == NULL) {
		become_up(conn);
		run_next(conn);
		return;
	}
	conn->state = BM_CONN_LISTENING;
	run(conn, bm_statement_create(conn->listen_sql, NULL, 0, on_listening, conn));
}

/* The socket may change inside PQconnectPoll(), so the watch is made anew each time. */
static void go_on_connecting(struct bm_conn *conn)
{
	bm_watch_close(conn->watch);
	conn->watch = NULL;
	switch (PQconnectPoll(conn->pg)) {
	case PGRES_POLLING_READING:
		watch_socket(conn, BM_IO_READ);
		break;
	case PGRES_POLLING_WRITING:
		watch_socket(conn, BM_IO_WRITE);
		break;
	case PGRES_POLLING_OK:
		on_connected(conn);
		break;
	default:
		lose_with_reason(conn);
		break;
	}
}

/* ---- results and notifications ---- */

static void finish_running(struct bm_conn *conn)
{
	struct bm_statement *statement = conn->running;
	PGresult *result = conn->result;

	conn->running = NULL;
	conn->result = NULL;
	if (conn->state == BM_CONN_CONNECTED) {
		bm_timer_disarm(conn->timer);
	}
	bm_statement_finish(statement, result, conn->cancels > 0);
	PQclear(result);
	bm_statement_destroy(statement);
}

static bool is_copy(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* Collect what has come for the running statement. */
static void read_results(struct bm_conn *conn)
{
	unsigned generation = conn->generation;

	while (conn->generation == generation && conn->running != NULL && !PQisBusy(conn->pg)) {
		PGresult *result = PQgetResult(conn->pg);
		if (result != NULL && is_copy(result)) {
			PQclear(result);
			lose(conn, BM_ERR_INTERNAL, "COPY cannot be used on this connection");
		} else if (result != NULL) {
			PQclear(conn->result);
			conn->result = result;
		} else if (PQstatus(conn->pg) == CONNECTION_BAD) {
			lose_with_reason(conn);
		} else {
			finish_running(conn);
		}
	}
}

static void read_notifications(struct bm_conn *conn)
{
	unsigned generation = conn->generation;
	PGnotify *notify;

	while (conn->generation == generation && (notify = PQnotifies(conn->pg)) != NULL) {
		const char *space = notify->extra[0] != '\0' ? " " : "";
		char *text = bm_format("%s%s%s", notify->relname, space, notify->extra);
		PQfreemem(notify);
		if (conn->state == BM_CONN_CONNECTED) {
			conn->cb(conn->ctx, BM_CONN_NOTICE, text);
		}
		free(text);
	}
}

static void talk(struct bm_conn *conn)
{
	unsigned generation = conn->generation;

	if (PQconsumeInput(conn->pg) == 0) {
		lose_with_reason(conn);
		return;
	}
	if (!flush(conn)) {
		return;
	}
	read_results(conn);
	if (conn->generation == generation) {
		read_notifications(conn);
	}
	if (conn->generation == generation) {
		run_next(conn);
	}
}

/* ---- limits ---- */

/* The running statement took too long: cancel it; if that is in vain, end its session, so
 * that it does not go on where nobody waits for it. */
static void end_late_statement(struct bm_conn *conn)
{
	if (conn->backend > 0 && conn->cancels < CANCEL_TRIES) {
		conn->cancels++;
		bm_timer_arm(conn->timer, CANCEL_PAUSE_MSEC);
		bm_process_signal(conn->backend, conn->backend_start_time, SIGINT, NULL);
		return;
	}
	if (conn->backend > 0) {
		bm_process_signal(conn->backend, conn->backend_start_time, SIGTERM, NULL);
	}
	lose(conn, BM_ERR_TIMEOUT, "no answer to a statement within its time limit");
}

/* ---- what the loop calls ---- */

static void enter(struct bm_conn *conn)
{
	conn->depth++;
}

static void leave(struct bm_conn *conn)
{
	if (--conn->depth == 0 && conn->destroyed) {
		bm_conn_release(conn);
	}
}

static void on_io(void *ctx, int events)
{
	struct bm_conn *conn = ctx;

	(void)events;
	enter(conn);
	if (conn->state == BM_CONN_CONNECTING) {
		go_on_connecting(conn);
	} else if (conn->pg != NULL) {
		talk(conn);
	}
	leave(conn);
}

void bm_conn_on_timer(void *ctx)
{
	struct bm_conn *conn = ctx;

	enter(conn);
	if (conn->state == BM_CONN_WAITING && conn->lets_in != NULL &&
			!conn->lets_in(conn->ctx)) {
		bm_timer_arm(conn->timer, conn->retry_msec);
	} else if (conn->state == BM_CONN_WAITING) {
		begin_attempt(conn);
	} else if (conn->state == BM_CONN_CONNECTED && conn->running != NULL) {
		end_late_statement(conn);
	} else if (conn->state == BM_CONN_CONNECTING || conn->state == BM_CONN_LISTENING) {
		lose(conn, BM_ERR_TRANSIENT,
				"PostgreSQL takes connections but does not answer");
	}
	leave(conn);
}

void bm_conn_on_delivery(void *ctx)
{
	struct bm_conn *conn = ctx;
	/* What callbacks add now waits for the next turn, or a retry could spin here. */
	const struct bm_statement *last = conn->failed.tail;
	bool more = last != NULL;

	enter(conn);
	while (more) {
		struct bm_statement *statement = bm_statement_queue_take(&conn->failed);
		more = statement != last && statement != NULL;
		if (statement != NULL) {
			bm_statement_fail(statement);
			bm_statement_destroy(statement);
		}
	}
	run_next(conn);
	leave(conn);
}
