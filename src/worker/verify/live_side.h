/*
 * live_side - the side that applications write to
 *
 * As worker/live does: the fence says it; without one, what the source remembers. The source,
 * where neither is there.
 */
#ifndef WORKER_VERIFY_LIVE_SIDE_H
#define WORKER_VERIFY_LIVE_SIDE_H

#include "worker/scan/pair.h"

/* `migration`: NULL: not known. */
int bm_live_side(struct bm_pair *pair, const char *migration, enum bm_pair_side *live,
		struct bm_error *err);

#endif
