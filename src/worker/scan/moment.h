/*
 * moment - both sides seen at one moment, with what is under way between them
 *
 * First the destination's snapshot, then the source's: what was committed at the source after
 * the first one has its key in the delta table that the second one sees. That holds only while
 * nobody purges in between, so purges are kept out by an advisory lock that they try for
 * (deltas/sql/machine_purge.sql): for some milliseconds, until both are taken. Where the
 * destination is captured too, its delta table is read after the source's snapshot, by a
 * session of its own.
 */
#ifndef WORKER_SCAN_MOMENT_H
#define WORKER_SCAN_MOMENT_H

#include <stdbool.h>

#include "worker/scan/keys.h"
#include "worker/scan/pair.h"
#include "worker/scan/verify_catalog.h"

/* A transaction of one side, begun by `how`, with our settings and then `then`; and its end,
 * should it still be open. */
int bm_moment_start(PGconn *conn, const char *how, const char *then, struct bm_error *err);
void bm_moment_stop(PGconn *conn);

struct bm_moment {
	struct bm_keys pending; /* sorted */
	struct bm_keys applied; /* captured and marked as applied: those have to be equal */
	bool too_many;		/* more than are kept: nothing can be said of the table */
	bool truncated;		/* a truncate is under way, or came in between */
};

/* SELECT of the keys in this table of keys, or in what follows FROM. free(). */
char *bm_moment_keys_sql(const struct bm_verify_table *table, const char *place);
/* SELECT of how many truncates of it were captured, and are under way. free(). */
char *bm_moment_truncated_sql(const struct bm_verify_table *table);

/* Keep purges out of every side where the table is captured, in transactions of the sessions
 * `aside`; commit them, or with rc -1 roll back, keep the error and return -1. */
int bm_moment_lock(struct bm_pair *pair, const struct bm_verify_table *table,
		struct bm_error *err);
int bm_moment_unlock(struct bm_pair *pair, int rc, struct bm_error *err);

/* Begin both transactions. Finish `out` and end it in either case. `limit_msec` (0: none): so
 * long the snapshots may live; no statement of them takes more than a third of it. */
int bm_moment_begin(struct bm_pair *pair, const struct bm_verify_table *table,
		uint64_t limit_msec, struct bm_moment *out, struct bm_error *err);

/* A statement was ended since it took too long for its snapshot. */
bool bm_moment_was_too_long(const struct bm_error *err);

/* Give both snapshots back, whatever state the sessions are in. */
void bm_moment_end(struct bm_pair *pair, struct bm_moment *moment);

#endif
