/* traces - what the files of `teardown` share about one side */
#ifndef WORKER_PHASES_TRACES_H
#define WORKER_PHASES_TRACES_H

#include "bucardo_machine/traces.h"
#include "worker/session/connect.h"

struct bm_traces {
	struct bm_endpoint endpoint;
	PGconn *conn;
};

bool bm_traces_has(struct bm_traces *traces, const char *relation);

/*
 * What the query gives, with `names` as $1 unless that is NULL, is statements, done one after
 * another, each again while somebody else has the lock. Column `stage` (-1: there is none) ends
 * it where it changes. How many there were; -1 when the side is unreachable, or some could not
 * be done.
 */
int bm_traces_work(struct bm_traces *traces, const char *query, const char *names, int stage,
		const struct bm_traces_events *events, struct bm_error *err);

/* traces_own.c: what only `names` have, where others use the database too. */
int bm_traces_remove_own(struct bm_traces *traces, const char *names,
		const struct bm_traces_events *events, struct bm_error *err);
long bm_traces_count_own(struct bm_traces *traces, const char *names, struct bm_error *err);
int bm_traces_left_own(struct bm_traces *traces, const char *names,
		const struct bm_traces_events *events, struct bm_error *err);

#endif
