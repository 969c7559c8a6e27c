/*
 * batch_limit - no run of Bucardo is given more changes than it has memory for
 *
 * A KID holds every key that waits, about 430 bytes each. So at the begin of a run, in
 * its own transaction (daemon/bucardo/launch.pl calls it), `bucardo.machine_stage()` defers
 * what is beyond a limit in tables `bucardo.mpark_*` beside the delta tables, and a later run,
 * with room left, brings a part of it back, with a new txntime. All of it commits with the run
 * or not at all. Deferred rows are pending: sync_probe.c counts them.
 *
 * The question that comes after it, which tables have changes at all, is asked of
 * `bucardo.machine_delta_check()`: Bucardo's own takes the square of what was applied.
 *
 * A part of a backlog alone may collide with a unique constraint at the destination
 * where all of it would not. When a run fails of that, the limit is switched off until
 * the backlog is gone: the next run gets everything.
 */
#ifndef WORKER_DELTAS_BATCH_LIMIT_H
#define WORKER_DELTAS_BATCH_LIMIT_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"

/* Keys in one run of one database: about 100 MB of the KID. */
#define BM_BATCH_LIMIT_ROWS "200000"

/* Statements that make the functions; harmless to repeat. */
extern const char *const bm_batch_limit_steps[];
extern const size_t bm_batch_limit_step_count;

/* The name of the table beside a delta table, by an expression of SQL. */
#define BM_BATCH_LIMIT_DEFERRED(delta) "regexp_replace(" delta ", '^(\"?)delta_', '\\1mpark_')"

/* What is known of a sync when its limit is set. */
struct bm_batch_limit_state {
	int64_t waiting, deferred; /* rows; `waiting` has all */
	bool collided;		   /* its newest run failed of a constraint */
	bool idle;		   /* no run for a while */
};

/* Is this the text of an error that parts of a backlog may have, and the whole not? By the
 * SQLSTATE that daemon/bucardo/launch.pl puts in front: the rest may be in any language. */
bool bm_batch_limit_is_collision(const char *text);

/* Switch the limit off or on again, and bring deferred rows back that no run of ours comes
 * for (a tree that a person started does not call the function). */
int bm_batch_limit_set(PGconn *conn, const char *sync, const struct bm_batch_limit_state *state,
		uint64_t limit_msec, struct bm_error *err);

#endif
