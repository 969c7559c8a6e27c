/*
 * proofs - what is proven stays proven: in the source's database, bucket by bucket
 *
 * A bucket that was found equal is so until a key of it is captured again. Such a key is
 * pending first, and pending keys are always looked at; before it is purged its bucket is
 * marked (deltas/sql/machine_fold.sql), and a marked bucket is read again. So a pass that is
 * killed loses what it was reading, and the next one reads what is not proven.
 *
 * What nobody captures (somebody got past the fence) leaves no mark. Where the servers'
 * counters say that rows of a table were written since a complete pass began, a pass that a
 * person asks for reads all of it; one that trusts the marks alone does not, and one that goes
 * on with a pass that was killed does not.
 */
#ifndef WORKER_SCAN_PROOFS_H
#define WORKER_SCAN_PROOFS_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/scan/digest.h"
#include "worker/scan/pair.h"
#include "worker/scan/ranges.h"

struct bm_proofs {
	const char *migration; /* NULL: nothing is kept, all else is empty */
	bool *proven;	       /* by bucket */
	int64_t rows;	       /* of those */
	char oldest[40];       /* the time of the oldest of them; "" none */
};

/*
 * Whether this run may keep the proofs of the migration: one at a time does, until its sessions
 * end, since another one's buckets may be others. -1 with `err`. `beside`: it is the
 * background, which gives way: a person's run waits for it, and it asks now and then whether
 * somebody does.
 */
int bm_proofs_claim(
		struct bm_pair *pair, const char *migration, bool beside, struct bm_error *err);
int bm_proofs_are_wanted(PGconn *source, const char *migration, struct bm_error *err);
int bm_proofs_are_claimed(PGconn *source, const char *migration, struct bm_error *err);

/*
 * How the table falls into buckets, as an earlier pass had it or anew, and what is proven.
 * `trusting`: the marks alone count; `max_age_msec` (0: any): what was proven longer ago is not
 * proven. Finish both in either case.
 */
int bm_proofs_open(struct bm_pair *pair, const char *migration, bool trusting,
		uint64_t max_age_msec, const struct bm_digest *digest,
		const struct bm_verify_table *table, struct bm_ranges *ranges,
		struct bm_proofs *out, struct bm_error *err);

/* These buckets ("{1,2}") with these numbers of rows are equal, as of `at` (a time of the
 * source). */
int bm_proofs_add(struct bm_pair *pair, const struct bm_proofs *proofs,
		const struct bm_verify_table *table, const char *buckets, const char *rows,
		const char *at, struct bm_error *err);

/* The buckets from `first` to before `last` are to be read: nothing is proven of them
 * meanwhile. */
int bm_proofs_forget(struct bm_pair *pair, const struct bm_proofs *proofs,
		const struct bm_verify_table *table, unsigned first, unsigned last,
		struct bm_error *err);

/* The table was read to its end. */
int bm_proofs_complete(struct bm_pair *pair, const struct bm_proofs *proofs,
		const struct bm_verify_table *table, struct bm_error *err);

/* The counters of writes to a table of both sides: as long as they stay the same nobody wrote,
 * but for the last seconds. Free it; NULL with `err`. */
char *bm_proofs_counters(struct bm_pair *pair, const struct bm_verify_table *table,
		struct bm_error *err);

void bm_proofs_finish(struct bm_proofs *proofs);

#endif
