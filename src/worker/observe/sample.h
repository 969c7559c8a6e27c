/*
 * sample - from what the threads wrote into the sampler's state to one observation
 *
 * Texts are borrowed from the sampler: encode the observation before its lock is
 * let go.
 */
#ifndef WORKER_OBSERVE_SAMPLE_H
#define WORKER_OBSERVE_SAMPLE_H

#include <stdbool.h>

#include "bucardo_machine/observation.h"
#include "worker/observe/monitored.h"

/* Lock held. Free the result with bm_sample_free(). */
struct bm_observation *bm_sample_take(struct bm_sampler *sampler, uint64_t now_msec);
void bm_sample_free(struct bm_observation *observation);

/* Whether a backlog, a run or a database that is unreachable makes each probe worth a line. */
bool bm_sample_is_in_motion(const struct bm_observation *observation);

#endif
