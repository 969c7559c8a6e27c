/*
 * observation - one sample of all databases and syncs, as one line of JSON, and back
 *
 * Both directions come from the same tables of fields, so that the two ends of
 * the pipe cannot disagree. Moments travel as ages. docs/worker-protocol.md
 * describes the line for people.
 */
#ifndef BUCARDO_MACHINE_OBSERVATION_H
#define BUCARDO_MACHINE_OBSERVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bucardo_machine/error.h"

enum bm_reach { BM_REACH_UNKNOWN, BM_REACH_YES, BM_REACH_NO };

struct bm_db_sample { /* one row of Bucardo's db */
	const char *name;
	enum bm_reach reach;
	const char *error;   /* why not reachable; "" otherwise */
	uint64_t since_msec; /* bm_clock_msec() when `reach` last changed */
	const char *role;    /* "source" or "target", as any dbmap row says */
};

/* Counting the rows that wait for a sync stops here. */
#define BM_BACKLOG_LIMIT 1000000

struct bm_sync_sample { /* one row of Bucardo's sync */
	const char *name;
	bool active; /* not 'inactive': 'stalled' is Bucardo's own mark of an outage */
	bool autokick;
	size_t db_count; /* indexes into bm_observation.dbs */
	const size_t *dbs;
	int64_t backlog_rows;	   /* delta rows no run has applied yet, over all sources;
				      -1 unknown. Counting stops at 1,000,000 */
	int64_t lag_msec;	   /* age of the oldest of them; -1 unknown, 0 none */
	bool run_open;		   /* a syncrun row without `ended` */
	int64_t run_age_msec;	   /* since its `started`; -1 none */
	const char *run_status;	   /* "Copying from source.public.t"; "" none */
	int64_t run_moved;	   /* anything that grows while a run works: bytes or rows
				      written on the destination session; -1 unknown */
	int64_t good_age_msec;	   /* since the last Complete or empty run ended; -1 never */
	int64_t bad_age_msec;	   /* since the last failed run ended; -1 never */
	const char *bad_text;	   /* its error; "" none */
	unsigned recent_failures;  /* failed runs in the last 5 minutes */
	pid_t blocker_pid;	   /* pg_blocking_pids of the KID's session; 0 none */
	const char *blocker_query; /* first 200 bytes; "" none */
	const char *blocker_db;	   /* name of the database where it waits; "" none */
	int64_t requeued_rows;	   /* sent again because they shared a txntime; -1 unknown */
	int64_t conflicts;	   /* in all runs; -1 unknown */
	int64_t applied_rows;	   /* written and deleted by all runs; -1 unknown */
};

struct bm_observation {
	uint64_t taken_msec; /* bm_clock_msec() */
	size_t db_count;
	const struct bm_db_sample *dbs;
	size_t sync_count;
	const struct bm_sync_sample *syncs;
};

/* What the observer hears of; more of them are left out of a sample. */
#define BM_OBSERVATION_MAX_DBS 64
#define BM_OBSERVATION_MAX_SYNCS 128

/* The longest line either end accepts. */
#define BM_OBSERVATION_LINE_BYTES ((size_t)1024 * 1024)

/* Longest texts of a sample in bytes; they are cut when encoded. */
#define BM_OBSERVATION_TEXT_BYTES 600

enum bm_observation_detail {
	BM_OBSERVATION_FULL,
	/* Only what deserves a line at once when it changed: states and texts, of a
	 * backlog whether there is one, no ages and no counters. */
	BM_OBSERVATION_STATES
};

/* The line, without a newline; the caller frees it. */
char *bm_observation_encode(
		const struct bm_observation *observation, enum bm_observation_detail detail);

/* The line of a worker that cannot look: `why` names the reason. Caller frees. */
char *bm_observation_encode_waiting(const char *why);

/* A decoded line; the texts of `observation` live as long as this. */
struct bm_observation_line {
	struct bm_observation observation;
	const char *waiting; /* the worker cannot look because of this; NULL: a sample */
	void *memory;
	void *json;
};

/*
 * Decode a line received at `now_msec` (bm_clock_msec()). Everything is checked:
 * a missing field, a wrong type, an index out of range is BM_ERR_INTERNAL.
 * Finish `out` also after a failure.
 */
int bm_observation_decode(const char *text, size_t length, uint64_t now_msec,
		struct bm_observation_line *out, struct bm_error *err);
void bm_observation_line_finish(struct bm_observation_line *line);

#endif
