/* fence - the fence, raised by the phases that make the destination (bucardo_machine/fence.h)
 */
#ifndef WORKER_SCHEMA_FENCE_H
#define WORKER_SCHEMA_FENCE_H

#include "worker/transfer/internal.h"

/*
 * Make the functions, and the triggers that are missing; harmless to repeat. The schema
 * bucardo_machine is there already.
 */
int bm_fence_raise(struct bm_transfer *t, struct bm_error *err);

#endif
