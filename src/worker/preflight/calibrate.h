/*
 * calibrate - how fast the two servers are, from a sample of one table
 *
 * About a hundredth of the largest table, at most 16 MB, is read from the source,
 * written into a new table on the destination and indexed there; the transaction on
 * the destination is rolled back. Each step has a limit of two seconds or so.
 */
#ifndef WORKER_PREFLIGHT_CALIBRATE_H
#define WORKER_PREFLIGHT_CALIBRATE_H

#include <stdint.h>

#include "worker/schema/selected_tables.h"

struct bm_speed { /* bytes of the table a second, on one connection; 0 not known */
	double read, write, index;
	double index_ratio; /* how much longer than the table of kinds (kinds.h) an index took
			     */
	uint64_t sample_bytes;
	char why[300]; /* why something is not known; "" */
};

/* Measure with `table`, which has `bytes` and about `rows` rows (0: not known). Never fails. */
void bm_calibrate(struct bm_phase *phase, const struct bm_selected_table *table, uint64_t bytes,
		uint64_t rows, struct bm_speed *out);

#endif
