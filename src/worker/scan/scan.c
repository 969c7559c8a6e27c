#include "worker/scan/scan.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "worker/scan/proofs.h"
#include "worker/scan/ranges.h"
#include "worker/scan/readers.h"

/* More runs of ranges than this are read as one. */
#define MOST_RUNS 8

/* How many ranges are proven; `runs`: those that are not, next to each other, count once. */
static unsigned count_proven(const struct bm_ranges *ranges, const bool *proven, unsigned *runs)
{
	unsigned count = 0;

	*runs = 0;
	for (unsigned i = 0; i < ranges->count; i++) {
		count += proven[i];
		*runs += !proven[i] && (i == 0 || proven[i - 1]);
	}
	return count;
}

/* Where much is to be read in many places, all of it is: one long run is quicker than many
 * short ones. What a killed pass has left in a few places is left. */
static void forget_few(const struct bm_ranges *ranges, struct bm_proofs *proofs)
{
	unsigned runs = 0;
	unsigned proven = proofs->proven != NULL ? count_proven(ranges, proofs->proven, &runs)
						 : 0;
	bool is_scattered = proven < ranges->count / 4 * 3 && runs > MOST_RUNS;

	if (proven < ranges->count && (!ranges->by_order || is_scattered)) {
		free(proofs->proven);
		proofs->proven = NULL;
		proofs->rows = 0;
		proofs->oldest[0] = '\0';
	}
}

int bm_scan_run(struct bm_scan *scan, struct bm_error *err)
{
	struct bm_ranges ranges;
	struct bm_proofs proofs;

	bm_keys_init(&scan->suspects, scan->table->key_count);
	int rc = bm_proofs_open(scan->pair, scan->migration, scan->trusting,
			scan->beside != NULL ? scan->beside->max_age_msec : 0, scan->digest,
			scan->table, &ranges, &proofs, err);
	if (rc == 0) {
		/* Beside applications reading less counts for more than being ready soon. */
		if (scan->beside == NULL || !ranges.by_order) {
			forget_few(&ranges, &proofs);
		}
		scan->buckets = ranges.count;
		scan->rows[0] = scan->rows[1] = proofs.rows;
		bm_text_copy(scan->oldest, sizeof(scan->oldest), proofs.oldest);
		rc = bm_readers_run(scan, &ranges, &proofs, err);
	}
	if (rc == 0 && proofs.migration != NULL) {
		rc = bm_proofs_complete(scan->pair, &proofs, scan->table, err);
	}
	bm_ranges_finish(&ranges);
	bm_proofs_finish(&proofs);
	bm_keys_sort(&scan->suspects);
	return rc;
}

void bm_scan_finish(struct bm_scan *scan)
{
	bm_keys_finish(&scan->suspects);
}
