/*
 * fence - nobody but us writes to the destination before the cut-over
 *
 * A trigger of each table refuses what a session in the ordinary replication role writes;
 * Bucardo and we write in replica role, where it does not fire. A person lifts it with
 * SELECT bucardo_machine.lift_fence(), which is remembered: it is never raised again by
 * itself.
 */
#ifndef BUCARDO_MACHINE_TRANSFER_FENCE_H
#define BUCARDO_MACHINE_TRANSFER_FENCE_H

#include "transfer/internal.h"

/*
 * Make the functions, and the triggers that are missing; harmless to repeat. The schema
 * bucardo_machine is there already.
 */
int bm_fence_raise(struct bm_transfer *t, struct bm_error *err);

#endif
