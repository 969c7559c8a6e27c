/*
 * readers - the ranges of one table, read by several pairs of sessions at once
 *
 * Each reader is a thread with a pair of its own, and each batch has a moment of its own; the
 * results of all come together in `scan`. The caller is the first reader, and the only one
 * where there is little to read. A batch that took longer than a snapshot may live is read
 * again in halves. A reader other than the first whose session is lost leaves its batch to the
 * others.
 */
#ifndef WORKER_SCAN_READERS_H
#define WORKER_SCAN_READERS_H

#include "worker/scan/proofs.h"
#include "worker/scan/ranges.h"
#include "worker/scan/scan.h"

#define BM_READERS_MOST BM_VERIFY_JOBS_MOST

/* Read every bucket that is not proven. */
int bm_readers_run(struct bm_scan *scan, const struct bm_ranges *ranges,
		const struct bm_proofs *proofs, struct bm_error *err);

#endif
