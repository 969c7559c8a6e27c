/*
 * health - what one sample, and the ones before it, say about a sync. Pure.
 *
 * "Alive" proves nothing about Bucardo: healthy means that the backlog on the
 * sources is zero or shrinks. Progress is remembered across samples; the
 * evaluation follows from it and from the sample.
 */
#ifndef DAEMON_HEALTH_HEALTH_H
#define DAEMON_HEALTH_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/health/trend.h"
#include "bucardo_machine/health.h"
#include "bucardo_machine/observation.h"
#include "bucardo_machine/strbuf.h"

/* What is remembered of a sync between samples. Zeroed at the start. */
struct sync_history {
	bool known; /* a sample was taken in */
	int64_t backlog_rows, lag_msec, run_moved;
	uint64_t good_msec;	/* when the last good run ended; 0 never */
	uint64_t phase_hash;	/* of run_status and of there being a run */
	uint64_t progress_msec; /* when anything last moved, or nothing waited */
	uint64_t applied_msec;	/* when rows were last applied, or none waited */
	struct trend rows, lag; /* of the backlog */
};

struct health_limits {
	uint64_t stalled_after_msec;
	bool stopped; /* an operator stopped Bucardo */
	/* When Bucardo got ready: a stall cannot begin before; 0: it is not ready. */
	uint64_t ready_msec;
	bool paused;		  /* by a person, in the master's memory */
	uint64_t paused_msec;	  /* since when */
	bool declared;		  /* a migration of machine.yaml made it */
	bool held;		  /* its migration has not released it */
	bool is_migration_paused; /* by a person, in its definition or by `pause` */
	bool changing;		  /* the sides of its migration change places */
	bool escalation;	  /* stalls are fixed without a person */
};

/* Take in a sample. */
void health_remember(struct sync_history *history, const struct bm_sync_sample *sync,
		uint64_t taken_msec);

/* Which way the backlog of the sample last remembered goes; -1 where unknown. `running`:
 * a run is at work, and nothing holds it up. */
struct health_trend {
	enum bm_trend trend;
	int64_t shrink_rate, catch_up_msec;
};
struct health_trend health_trend(const struct sync_history *history, bool running);

/*
 * Evaluate the sample last remembered. `why` and `advice` are cleared and filled:
 * empty when there is nothing to say. Time in which a sync could not move for a
 * reason that is named counts as progress, so that no stall begins in it.
 */
enum bm_health health_evaluate(struct sync_history *history, const struct bm_sync_sample *sync,
		const struct bm_observation *observation, const struct health_limits *limits,
		struct bm_strbuf *why, struct bm_strbuf *advice);

/*
 * What the server said, without what Bucardo puts around it ("DBD::Pg::db do failed: ...
 * at Bucardo.pm line 1") and without the row: rows are the users', and long.
 */
void health_print_error(struct bm_strbuf *out, const char *text);

#endif
