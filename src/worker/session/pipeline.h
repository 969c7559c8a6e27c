/*
 * pipeline - many statements to one server in one round trip, with a limit in time
 *
 * libpq's pipeline mode (libpq 14 or later; any server). Statements are sent as they are added;
 * bm_pipeline_end() waits for all results, in order. A statement that fails ends those after
 * it. Without a BEGIN among them all are one transaction. COPY cannot be one of them.
 *
 * Begin, add, end, and finish in any case. A session that did not answer in time, or is lost,
 * is cut off by the finish: PQstatus() says CONNECTION_BAD.
 */
#ifndef WORKER_SESSION_PIPELINE_H
#define WORKER_SESSION_PIPELINE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"

struct bm_pipeline {
	PGconn *conn;
	uint64_t deadline_msec; /* of bm_clock_msec() */
	size_t count, capacity; /* statements that were added */
	PGresult **results;	/* after bm_pipeline_end() returned 0 */
	bool is_open;		/* its answers were not taken yet */
	struct bm_error first;	/* why one could not be added; the end says it */
};

/* `deadline_msec` is a time of bm_clock_msec(). */
int bm_pipeline_begin(struct bm_pipeline *pipeline, PGconn *conn, uint64_t deadline_msec,
		struct bm_error *err);

/* Add a statement; its place among the results. What fails here is said by the end. */
size_t bm_pipeline_add(struct bm_pipeline *pipeline, const char *sql, int count,
		const char *const *params);
size_t bm_pipeline_prepare(struct bm_pipeline *pipeline, const char *name, const char *sql);
size_t bm_pipeline_execute(struct bm_pipeline *pipeline, const char *name, int count,
		const char *const *params);

/* Wait for all of them. -1 with the error of the first that failed, whose place becomes
 * `*failed` (NULL: not wanted). */
int bm_pipeline_end(struct bm_pipeline *pipeline, size_t *failed, struct bm_error *err);

void bm_pipeline_finish(struct bm_pipeline *pipeline);

/* Close the network connection of a session that somebody else owns: the server rolls back, and
 * PQstatus() is CONNECTION_BAD. */
void bm_pipeline_cut(PGconn *conn);

#endif
