/*
 * capture_wake - at the end of the copy: the destination's capture triggers fire always
 *
 * With direction both they are put on the destination's tables before the copy, and the
 * sessions that copy are in replica role. A trigger that fires always would be called for each
 * row, to find that there is nothing to do. So until the copy is done they are ordinary ones
 * (bm_capture_triggers_make_quiet()); who else writes in replica role is refused by the fence.
 */
#ifndef WORKER_CAPTURE_CAPTURE_WAKE_H
#define WORKER_CAPTURE_CAPTURE_WAKE_H

#include "worker/session/sides.h"

/* Of all tables of the migration; those that fire always stay as they are. Before `worker
 * reconcile` begins, which watches the triggers. A table that somebody has locked fails it: the
 * phase is tried again. */
int bm_capture_wake(struct bm_phase *phase, struct bm_error *err);

#endif
