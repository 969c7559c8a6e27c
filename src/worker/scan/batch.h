/*
 * batch - some buckets of a table, read on both sides at one moment
 *
 * Adds what it finds to the results of `scan` (scan.h). Where it fails they are of no use: what
 * it read is read again.
 */
#ifndef WORKER_SCAN_BATCH_H
#define WORKER_SCAN_BATCH_H

#include "worker/scan/proofs.h"
#include "worker/scan/ranges.h"
#include "worker/scan/scan.h"

/* The buckets from `first` to before `last`; none of them: what is under way. */
int bm_batch_run(struct bm_scan *scan, const struct bm_ranges *ranges,
		const struct bm_proofs *proofs, unsigned first, unsigned last,
		struct bm_error *err);

#endif
