/*
 * teardown - takes what a migration made out of both sides and the control database
 *
 * With "plan" in the request it only tells what there is. See docs/worker-protocol.md.
 */
#ifndef WORKER_PHASES_TEARDOWN_H
#define WORKER_PHASES_TEARDOWN_H

#include "worker/session/sides.h"

int bm_teardown_run(struct bm_phase *phase, struct bm_error *err);

#endif
