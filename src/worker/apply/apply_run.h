/*
 * apply_run - `worker apply`: passes of our own applier, outside of a cut-over, for tests and
 * the bench
 *
 * The request is that of `worker phase` (docs/worker-protocol.md) with a member "apply":
 * {"from": "source", "passes": 1, "limit_msec": 60000, "compare": true, "callers": false,
 * "rollback": false}. "passes" 0: until a pass finds nothing. "callers": in a transaction of
 * the caller's, which "rollback" takes back. The evidence of "done" has one object a pass, what
 * the comparison found, and what the process used.
 */
#ifndef WORKER_APPLY_APPLY_RUN_H
#define WORKER_APPLY_APPLY_RUN_H

int bm_apply_worker(void);

#endif
