/*
 * not_in_step - what is not kept in step: counted on both sides, so that a person sees how far
 * the sides are apart
 *
 * Tables that Bucardo cannot replicate, tables that are paused, those that machine.yaml leaves
 * out, large objects. A small table is counted, a large one taken from the server's statistics
 * ("about"): counting never costs a server more than a hundredth of the time.
 */
#ifndef WORKER_RECONCILE_NOT_IN_STEP_H
#define WORKER_RECONCILE_NOT_IN_STEP_H

#include "worker/live/pass.h"

/* Sets member "not_in_step" when it is time, or when another table was paused. */
int bm_reconcile_not_in_step(struct bm_pass *pass, struct bm_error *err);

#endif
