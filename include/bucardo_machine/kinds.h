/*
 * kinds - what kinds of work there are, and how long each takes
 *
 * One table: for each kind what a row, a byte of the table and a byte of the finished
 * index cost on the computer that they were measured on. What another computer makes of
 * that is measured while it works (estimate.h); what counts here is how the kinds compare:
 * a GIN index takes fifty times as long as a btree over the same table. And how far a
 * build is in time when its server says how far it is in blocks. Pure.
 */
#ifndef BUCARDO_MACHINE_KINDS_H
#define BUCARDO_MACHINE_KINDS_H

#include <stdbool.h>
#include <stdint.h>

enum bm_kind {
	BM_KIND_COPY,	    /* rows */
	BM_KIND_BTREE,	    /* indexes and keys */
	BM_KIND_BTREE_TEXT, /* the same with texts that are compared by a collation */
	BM_KIND_HASH,
	BM_KIND_GIN,
	BM_KIND_GIST,
	BM_KIND_BRIN,
	BM_KIND_INDEX, /* by any other method */
	BM_KIND_FOREIGN,
	BM_KIND_REFRESH,
	BM_KIND_ANALYZE,
	BM_KIND_SMALL, /* what reads no rows */
	BM_KIND_COUNT
};

/* The kind of an object of the ledger: "INDEX public.film_title" and its statement. */
enum bm_kind bm_kind_of(const char *name, const char *sql);

/* The kind of an index by its access method, of "foreign", or of "analyze". */
enum bm_kind bm_kind_named(const char *word, bool is_text);

/* What it reads and makes; 0 where it is not known. */
struct bm_kind_size {
	uint64_t rows, bytes, index_bytes;
};

/* How long it takes by the table, in milliseconds; never 0. */
double bm_kind_msec(enum bm_kind kind, const struct bm_kind_size *size);

/*
 * How far a build is, by what pg_stat_progress_create_index says: the name of the step,
 * and the part of the time that has passed (0 to 1) when `blocks` and `tuples` (0 to 1)
 * are done. False: the server's word is not known.
 */
struct bm_kind_progress {
	const char *step;
	double part;
};
bool bm_kind_progress(enum bm_kind kind, const char *phase, double blocks, double tuples,
		struct bm_kind_progress *out);

/* What a trigger that fires for each of so many rows adds to their copy, in milliseconds. */
double bm_kind_trigger_msec(uint64_t rows);

/* How little a build's own progress says of its time: 0 all, 1 as much as the table. */
double bm_kind_doubt(enum bm_kind kind);

#endif
