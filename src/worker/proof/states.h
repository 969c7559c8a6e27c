/*
 * states - what the last comparison found of each table: durable, in the source's database
 *
 * A row for each table of a migration, written by whoever keeps its proofs (`worker verify`,
 * or the command `verify NAME`) once that table was compared, and the rows that differ: at most
 * BM_PROOF_DIFFERENCES of a table, by their keys, without values. A difference goes when a
 * later comparison of the whole table did not find it.
 *
 * A state is that of its moment, `at`. What was captured and purged since has marked ranges of
 * the table (`ranges_changed`), which the next pass reads again.
 *
 * Threads: one at a time for each session.
 */
#ifndef WORKER_PROOF_STATES_H
#define WORKER_PROOF_STATES_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/proof.h"

struct json_t;

/* That many rows that differ are kept, of a table. */
#define BM_PROOF_DIFFERENCES 100

#define BM_PROOF_TIME_SIZE 32

struct bm_proof_state {
	/* "table" or "materialized view", quoted and qualified; or "schema" definitions,
	 * "sequences" all, "large objects" content, of which `changed` counts those that
	 * differ. */
	char *kind, *name;
	bool is_table;
	enum bm_proof state;
	char *why;	 /* "" when there is nothing to say */
	bool is_waiting; /* it was not compared yet */
	bool captured;	 /* its changes are replicated; else it may well differ */
	/* Times in UTC, "" none: when it was compared; since when its state is what it is; of
	 * the oldest proof that holds. */
	char at[BM_PROOF_TIME_SIZE], since[BM_PROOF_TIME_SIZE], oldest[BM_PROOF_TIME_SIZE];
	int64_t age_msec; /* of `at`; -1 none */
	int64_t bytes, rows;
	int64_t in_flight, missing, extra, changed; /* rows */
	/* Ranges: how many there are, are proven, and changed since (as the source knows). */
	int64_t ranges, ranges_proven, ranges_changed;
};

struct bm_proof_states {
	size_t count;
	struct bm_proof_state *list; /* the worst state first */
};

/*
 * Of a migration, as they are now; none where none were ever kept. A table that is not listed
 * was never compared. Finish `out` in either case.
 */
int bm_proof_states_read(PGconn *source, const char *migration, struct bm_proof_states *out,
		struct bm_error *err);
void bm_proof_states_finish(struct bm_proof_states *states);

/* The state of a table by its name; NULL: it was never compared. */
const struct bm_proof_state *bm_proof_states_find(
		const struct bm_proof_states *states, const char *name);

/* Rows that differ, to be shown, at most `limit` of each table: {"table", "key", "kind",
 * "columns", "found_at"}. NULL with `err`. */
struct json_t *bm_proof_differences(
		PGconn *source, const char *migration, int limit, struct bm_error *err);

/* ---- for whoever compares ---- */

/* Whether this source can keep them: 1, 0 (it was prepared by an earlier version), -1. */
int bm_proof_states_are_kept(PGconn *source, struct bm_error *err);

/* These are all tables that there are: [{"kind", "name", "bytes"}, ...]. */
int bm_proof_states_begin(PGconn *source, const char *migration, const struct json_t *tables,
		struct bm_error *err);

/* What was found of one: an object of the report (docs/verify.md). */
int bm_proof_state_put(PGconn *source, const char *migration, const struct json_t *object,
		bool captured, int64_t bytes, struct bm_error *err);

/* Every table is equal. 1: it is for the first time; 0; -1. */
int bm_proof_states_all_equal(PGconn *source, const char *migration, struct bm_error *err);

#endif
