/*
 * postgres - SQL over the loop, and the control cluster
 *
 * Three things: an asynchronous connection (conn.c), SQL sequences as tables of
 * steps (script.c), and what it takes to make and run the control cluster
 * (cluster.c). Unix sockets only: PQconnectStart() would resolve host names
 * blockingly, so a host that is not an absolute path is refused.
 *
 * Threads: loop thread only. Results are borrowed for the callback.
 */
#ifndef BUCARDO_MACHINE_POSTGRES_H
#define BUCARDO_MACHINE_POSTGRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/strbuf.h"

/* ---- connection ---- */

struct bm_conn;

enum bm_conn_event {
	BM_CONN_UP,    /* connected and LISTENing; queries may be sent */
	BM_CONN_DOWN,  /* lost, or one more attempt failed; `text` says why; it retries */
	BM_CONN_NOTICE /* a notification: `text` is "CHANNEL" or "CHANNEL PAYLOAD" */
};

typedef void bm_conn_cb(void *ctx, enum bm_conn_event event, const char *text);

/* Times of 0 mean 30 s, for the pause between attempts 500 ms. */
struct bm_conn_options {
	const char *socket_dir; /* absolute path */
	const char *dbname, *user;
	const char *application_name;
	const char *const *listen;     /* channels, NULL-terminated; may be NULL */
	bool (*lets_in)(void *ctx);    /* false: no attempt makes sense yet; may be NULL */
	uint64_t connect_timeout_msec; /* one attempt */
	uint64_t retry_msec;	       /* between attempts */
	uint64_t query_timeout_msec;   /* default of one statement; then cancelled */
};

/* Options are copied. The first attempt starts at bm_conn_open(). */
struct bm_conn *bm_conn_create(struct bm_loop *loop, const struct bm_conn_options *options,
		bm_conn_cb *cb, void *ctx);
void bm_conn_open(struct bm_conn *conn);    /* start connecting, keep reconnecting */
void bm_conn_close(struct bm_conn *conn);   /* disconnect, stay closed; pending queries fail */
void bm_conn_destroy(struct bm_conn *conn); /* NULL is accepted; no callback afterwards */
bool bm_conn_is_up(const struct bm_conn *conn);

/* A result in plain terms: NULL cells are NULL. */
struct bm_result {
	size_t row_count, column_count;
	const struct bm_error *error; /* NULL on success; code TRANSIENT when the connection
					 was lost, TIMEOUT, or SQL with sqlstate */
	const void *impl;
};
const char *bm_result_get(const struct bm_result *result, size_t row, size_t column);

typedef void bm_result_cb(void *ctx, const struct bm_result *result);

/*
 * Queue one statement with text parameters ($1...; NULL for SQL NULL); `sql` and
 * `params` are copied. Without parameters several statements separated by ';' are
 * allowed, the last result counts. `cb` is called exactly once, never before this
 * returns, also with an error when the connection is down or goes down. Statements
 * run one after the other. A late one is cancelled; if that does not help within
 * 2 s its session is ended, and the connection made anew.
 */
void bm_conn_query(struct bm_conn *conn, const char *sql, const char *const *params,
		size_t param_count, bm_result_cb *cb, void *ctx);

/* ---- scripts: SQL sequences as data ---- */

struct bm_step {
	const char *name; /* for messages: "installing Bucardo" */
	const char *sql;  /* or NULL when build() makes it */
	/* Append the SQL to `sql`; false skips the step. */
	bool (*build)(void *ctx, struct bm_strbuf *sql);
	/* Look at the result; NULL: any success will do. -1 with `err` fails the script. */
	int (*on_result)(void *ctx, const struct bm_result *result, struct bm_error *err);
};

struct bm_script;
/* Run `steps` in order on `conn`; `steps` is borrowed. `done` is called once, with
 * NULL or the error of the step that failed, wrapped with its name. A script that
 * is not done must be cancelled before its connection is destroyed. */
struct bm_script *bm_script_run(struct bm_conn *conn, const struct bm_step *steps, size_t count,
		void *ctx, void (*done)(void *ctx, const struct bm_error *err));
void bm_script_cancel(struct bm_script *script); /* NULL is accepted; no callback afterwards */

/* Whether a schema, table or column that the statement names is not there. */
bool bm_sql_is_gone(const struct bm_error *err);

/* ---- the control cluster ---- */

/* Where things are; absolute paths, borrowed. */
struct bm_cluster_paths {
	const char *data_dir;	/* .../postgres/<major>, initialised or not */
	const char *socket_dir; /* runtime folder */
	const char *bin_dir;	/* folder of postgres, initdb; see bm_cluster_find() */
};

/*
 * The newest installed PostgreSQL with a server: its bin folder into `bin_dir`
 * and its major into `major`. Looks at $BUCARDO_MACHINE_PGBIN, then at
 * /usr/lib/postgresql/<major>/bin. -1: none found.
 */
int bm_cluster_find(char *bin_dir, size_t size, unsigned *major, struct bm_error *err);

enum bm_cluster_found {
	BM_CLUSTER_ABSENT,	/* no folder, or an empty one */
	BM_CLUSTER_INTERRUPTED, /* only the temporary folder of an initdb that was cut off */
	BM_CLUSTER_USABLE,	/* PG_VERSION of this major, control file plausible */
	BM_CLUSTER_DAMAGED,	/* something is there, and it is not whole */
	BM_CLUSTER_FOREIGN	/* of another major */
};

/* Look at the folder without changing it; `why` (may be NULL) gets the reason. */
enum bm_cluster_found bm_cluster_inspect(
		const char *data_dir, unsigned major, struct bm_strbuf *why);

/*
 * Make the cluster: initdb into `<data_dir>.new` (an old one is removed first),
 * configure it, sync, rename. `done` is called once, err NULL on success.
 */
struct bm_cluster_init;
struct bm_cluster_init *bm_cluster_create(struct bm_loop *loop,
		const struct bm_cluster_paths *paths,
		void (*done)(void *ctx, const struct bm_error *err), void *ctx);
void bm_cluster_create_cancel(struct bm_cluster_init *init); /* NULL is accepted */

/*
 * Before each start: end what a dead machine left running on this very data
 * directory (a postmaster: fast, later immediate; orphaned backends), and when
 * nothing lives there any more remove postmaster.pid and the stale socket locks,
 * whatever pid they name. Also narrows rights that Kubernetes' fsGroup widened.
 * Returns 1 while a leftover is still ending (call again), 0 when clear, -1 on
 * error. Never while a postmaster of ours is meant to run.
 */
int bm_cluster_clear_stale(const struct bm_cluster_paths *paths, struct bm_error *err);

/* Whether the postmaster says in its pid file that it takes sessions; another word of it, or
 * no file: not yet. */
bool bm_cluster_lets_in(const struct bm_cluster_paths *paths);

/* argv for the postmaster in the foreground; free with bm_cluster_argv_free(). */
char **bm_cluster_argv(const struct bm_cluster_paths *paths, const char *const *settings);
void bm_cluster_argv_free(char **argv);

#endif
