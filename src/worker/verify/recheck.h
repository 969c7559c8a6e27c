/*
 * recheck - suspects looked at again by their keys, until each is equal, under way or different
 *
 * A row is different when two looks at two later moments say so, while it is not under way. So
 * nothing that merely went from one side to the other between two readings is ever reported.
 */
#ifndef WORKER_VERIFY_RECHECK_H
#define WORKER_VERIFY_RECHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/scan/scan.h"

struct json_t;

/* That many are named, of a table, while there is memory for them (of all tables); some always
 * are. All are counted. */
#define BM_DIFFERENCES_NAMED 1000
#define BM_DIFFERENCES_ALWAYS 3

enum { BM_ROW_MISSING, BM_ROW_EXTRA, BM_ROW_CHANGED, BM_ROW_KINDS };
extern const char *const bm_row_kinds[BM_ROW_KINDS];

struct bm_recheck {
	struct bm_scan *scan;
	bool values;		    /* of rows that differ */
	struct json_t *differences; /* an empty list at first; docs/verify.md */
	size_t *bytes;		    /* left for those of all tables */
	uint64_t kinds[BM_ROW_KINDS];
	/* For repair.h: their keys, as long as there is room (NULL: none are kept); how many of
	 * them were sent again, and differ nevertheless. */
	struct bm_keys found[BM_ROW_KINDS];
	size_t *room;
	uint64_t sent, unrepaired;
};

/* One look at all suspects. The next one should come some 100 ms later. */
int bm_recheck_round(struct bm_recheck *recheck, struct bm_error *err);

/* Nothing is to be looked at any more. What stays in scan->suspects is under way: `is_late`
 * says that it was waited for as long as it may be. */
bool bm_recheck_is_over(const struct bm_recheck *recheck, bool is_late);

void bm_recheck_finish(struct bm_recheck *recheck);

#endif
