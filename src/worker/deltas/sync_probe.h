/*
 * sync_probe - what one database says about one sync
 *
 * Read-only and short: counting stops at a limit, a lock that is held costs a
 * second, tables are asked in groups.
 */
#ifndef WORKER_DELTAS_SYNC_PROBE_H
#define WORKER_DELTAS_SYNC_PROBE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bucardo_machine/observation.h"
#include "bucardo_machine/error.h"

/* Make a new session harmless: read-only, with limits. Also the first sign of life. */
int bm_sync_probe_begin(PGconn *conn, uint64_t limit_msec, struct bm_error *err);

/* A sign of life. */
int bm_sync_probe_ping(PGconn *conn, uint64_t limit_msec, struct bm_error *err);

struct bm_backlog {
	int64_t rows; /* delta rows without a track row, deferred ones, and pending truncates */
	int64_t lag_msec; /* age of the oldest; 0 none */
	int64_t deferred; /* how many of them no run sees yet (batch_limit.h) */
};

/*
 * On a source: what no run of `sync` has applied yet. `target` is what marks rows
 * as done ("dbgroup G"). BM_ERR_SQL when the server refuses (no rights, no schema
 * yet, a table is locked): the connection is good still.
 */
int bm_sync_probe_backlog(PGconn *conn, const char *sync, const char *target,
		uint64_t limit_msec, struct bm_backlog *out, struct bm_error *err);

struct bm_session {
	bool works;	   /* busy by itself, waits for nobody */
	pid_t blocker_pid; /* holds the lock it waits for; 0 none */
	char blocker_query[256];
};

/* The session of a KID; all zero when there is none with that backend pid. */
int bm_sync_probe_session(PGconn *conn, int backend_pid, uint64_t limit_msec,
		struct bm_session *out, struct bm_error *err);

#endif
