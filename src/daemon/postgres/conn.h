/*
 * The insides of a connection, shared by conn.c (the owner's calls, lifetime) and
 * conn_io.c (driving libpq), and what script.c may ask beyond the public header.
 */
#ifndef DAEMON_POSTGRES_CONN_H
#define DAEMON_POSTGRES_CONN_H

#include <libpq-fe.h>
#include <sys/types.h>

#include "bucardo_machine/postgres.h"
#include "daemon/postgres/statement.h"

enum bm_conn_state {
	BM_CONN_CLOSED,	    /* not wanted */
	BM_CONN_WAITING,    /* the timer runs until the next attempt */
	BM_CONN_CONNECTING, /* the timer limits the attempt */
	BM_CONN_LISTENING,  /* connected, LISTEN is under way; the same timer still limits it */
	BM_CONN_CONNECTED
};

struct bm_conn {
	char *socket_dir, *dbname, *user, *application_name, *listen_sql;
	uint64_t connect_timeout_msec, retry_msec, query_timeout_msec;
	struct bm_loop *loop;
	bm_conn_cb *cb;
	bool (*lets_in)(void *ctx);
	void *ctx;

	enum bm_conn_state state;
	unsigned generation; /* counts the connections that were dropped */
	PGconn *pg;
	struct bm_watch *watch;
	pid_t backend; /* 0: not a process we may signal */
	uint64_t backend_start_time;

	struct bm_statement_queue waiting; /* to be sent */
	struct bm_statement_queue failed;  /* to be called back */
	struct bm_statement *running;
	PGresult *result; /* the last one of the running statement */
	unsigned cancels; /* how often the running statement was cancelled */

	struct bm_timer *timer;
	struct bm_timer *delivery; /* "soon": what must not happen inside a caller's call */
	char *reason;		   /* why it is down; NULL when that was not told */
	unsigned depth;		   /* loop callbacks on the stack */
	bool destroyed;
};

/* Take the connection down without a word to the owner; statements fail soon, the running
 * one with `running_code`. The state is the caller's to set. */
void bm_conn_drop(struct bm_conn *conn, enum bm_error_code running_code, const char *reason);

/* Have `statement` called back with an error, from the loop. */
void bm_conn_fail_later(struct bm_conn *conn, struct bm_statement *statement,
		enum bm_error_code code, const char *reason);

/* What the loop calls; the timers' callbacks. */
void bm_conn_on_timer(void *ctx);
void bm_conn_on_delivery(void *ctx);

/* Give the memory back; nothing of libpq or the loop may be left. */
void bm_conn_release(struct bm_conn *conn);

/* Statements queued with this callback and context run on, but call nobody back. */
void bm_conn_forget(struct bm_conn *conn, bm_result_cb *cb, void *ctx);

#endif
