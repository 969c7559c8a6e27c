/* lead - the follower's sequences set ahead, for somebody who holds the side's lock himself */
#ifndef WORKER_RECONCILE_LEAD_H
#define WORKER_RECONCILE_LEAD_H

#include "worker/live/pass.h"

/*
 * What bm_reconcile_sequences() does for `pass->live` and `pass->epoch`, once. Fails when one
 * cannot be set, or is not there. `*set`: how many were. Before a freeze it makes what that
 * takes; in one it is there.
 */
int bm_sequences_lead(struct bm_pass *pass, long *set, struct bm_error *err);

#endif
