/*
 * scan - one table read once on both sides: which rows have to be looked at again
 *
 * Some buckets at a time, each time at a new moment, so that no snapshot lives longer than some
 * seconds (and one bucket) take. Rows that are under way are taken out of the sums; a bucket
 * whose sums differ then has its rows listed, and those that differ become suspects.
 */
#ifndef WORKER_SCAN_SCAN_H
#define WORKER_SCAN_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/verify.h"
#include "worker/scan/digest.h"
#include "worker/scan/keys.h"
#include "worker/scan/moment.h"
#include "worker/scan/pair.h"

struct bm_scan {
	struct bm_pair *pair;
	struct bm_pair *more; /* for ranges that are read at the same time (readers.h) */
	unsigned more_count;
	uint64_t snapshot_msec; /* so long one may live; 0: as long as it takes */
	const struct bm_digest *digest;
	const struct bm_verify_table *table;
	const char *migration;		 /* whose proofs are kept; NULL: none are (proofs.h) */
	bool trusting;			 /* only what is not proven is read */
	struct bm_verify_beside *beside; /* NULL: as fast as it can */
	void (*on_share)(void *ctx, double share); /* how much is read; NULL: not told */
	void *ctx;
	unsigned readers; /* that share the memory */
	/* the result: */
	struct bm_keys suspects;
	int64_t rows[BM_PAIR_SIDES]; /* that were read */
	unsigned buckets, differing,
			read;  /* of all; that differed; that were read in this pass */
	char oldest[40];       /* the time of the oldest proof that still holds; "" none */
	bool too_many;	       /* more suspects than are kept */
	bool too_many_pending; /* nothing can be said while so much is under way */
	bool truncated;	       /* a truncate is under way */
	bool unlisted;	       /* a bucket differs, and the list of its rows does not say why */
	struct bm_null_rows nulls[BM_PAIR_SIDES]; /* of buckets that differ */
	uint64_t vanished;     /* suspects that neither side finds any more (recheck.c) */
	uint64_t longest_msec; /* of a snapshot */
	bool has_applied;      /* suspects have what was marked as applied (moment.h) */
};

/* Finish `scan` in either case. */
int bm_scan_run(struct bm_scan *scan, struct bm_error *err);
void bm_scan_finish(struct bm_scan *scan);

/* Some buckets of `count` were read in this time: applications come first (verify_table.c). -1:
 * it is to end. */
int bm_verify_rest(struct bm_scan *scan, unsigned buckets, unsigned count, uint64_t took_msec,
		struct bm_error *err);

/* NULL: there is nothing that could end it. */
bool bm_verify_is_ended(struct bm_verify_beside *beside);

#endif
