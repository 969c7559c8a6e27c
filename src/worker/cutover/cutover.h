/*
 * cutover - phases cutover and failback: source and destination change places
 *
 * The side that is left, "from", is locked, drained, compared and fenced in one transaction.
 * Its COMMIT is the point of no return: before it everything is rolled back, by the server
 * itself if need be; after it the machine only goes forward. docs/cutover.md has the steps.
 *
 * Threads: the first one, as in `worker phase`.
 */
#ifndef WORKER_CUTOVER_CUTOVER_H
#define WORKER_CUTOVER_CUTOVER_H

#include "bucardo_machine/error.h"
#include "worker/session/sides.h"

int bm_cutover_run(struct bm_phase *phase, struct bm_error *err);

#endif
