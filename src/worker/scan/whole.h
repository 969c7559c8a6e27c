/*
 * whole - the sums of all rows of a table that no key divides
 *
 * Where it takes no longer than a snapshot may live it is one statement on each side, at one
 * moment. A bigger one, and one beside applications that takes longer than a reading of theirs,
 * is read in parts of its pages, each in a snapshot of its own. Parts belong together only when
 * nobody wrote in between: of each, the places of its rows and who wrote them are summed up
 * too, and asked again once all are read. Parts where that differs are read again, and all are
 * asked once more, until nothing has changed from one round to the next, the servers' counters
 * of writes included; or it is given up.
 *
 * Before version 14 a server reads all pages for each part.
 */
#ifndef WORKER_SCAN_WHOLE_H
#define WORKER_SCAN_WHOLE_H

#include "worker/scan/scan.h"

struct bm_whole {
	struct bm_sum sums[BM_PAIR_SIDES];
	unsigned parts, read; /* parts; how many were read, some of them again */
	bool is_settled;      /* in parts, while nobody wrote: what differs does differ */
	bool has_moved;	      /* in parts, and it was written to all the time: say nothing */
};

/* The longest snapshot goes into `scan`. */
int bm_whole_read(struct bm_scan *scan, struct bm_whole *out, struct bm_error *err);

#endif
