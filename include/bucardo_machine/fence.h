/*
 * fence - nobody but us writes to the destination before the cut-over
 *
 * A trigger of each table refuses what is written, in whatever replication role; sessions of
 * ours and of Bucardo pass: they are in replica role and have set bucardo_machine.applying. A
 * person lifts it with SELECT bucardo_machine.lift_fence(), which is remembered: it is never
 * raised again by itself. Whether it is lifted says which side is live.
 */
#ifndef BUCARDO_MACHINE_FENCE_H
#define BUCARDO_MACHINE_FENCE_H

#include <stddef.h>

/* Advisory locks of the destination, with BM_FENCE_LOCKS as the first key: who writes by what
 * the live side is holds the first one shared, lift_fence() and raise_fence() exclusively;
 * `worker reconcile` holds the second one for as long as it lives. 4 is of
 * worker/session/alone.c. */
#define BM_FENCE_LOCKS "1651860321"
#define BM_FENCE_LOCK_SIDE "1"
#define BM_FENCE_LOCK_ALIVE "2"

/* Statements that make its table and functions, or bring them up to date; one that is lifted
 * stays so. Schema bucardo_machine is there already. */
extern const char *const bm_fence_steps[];
extern const size_t bm_fence_step_count;

#endif
