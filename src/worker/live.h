/*
 * live - the side applications write to
 *
 * Until the destination's fence is lifted it is the source, from then on the destination.
 * tend->live is asked anew in each round. Whoever writes by it holds it meanwhile:
 * lift_fence() and raise_fence() wait for that, so that no old row goes over a live one
 * between a decision and its write.
 */
#ifndef WORKER_LIVE_H
#define WORKER_LIVE_H

#include <stdint.h>

#include "worker/tend.h"

/* Make what remembers the live side. */
int bm_live_prepare(struct bm_tend *tend, struct bm_error *err);

/* New tables get behind the fence too, as long as there is one and it is not lifted. */
int bm_live_keep_fence(struct bm_tend *tend, struct bm_error *err);

/* Set the live side and the epoch of `tend`; a fence that is seen for the first time is brought
 * up to date. When the sides have changed places what is known
 * of the tables is forgotten. */
int bm_live_find(struct bm_tend *tend, struct bm_error *err);

/* Sets member "live" of the evidence: which side, and what of it is not carried back. */
int bm_live_tell(struct bm_tend *tend, struct bm_error *err);

/* 1: the live side is what `tend` says, until bm_live_release(); 0: it is changing or has
 * changed, so nothing may be written before the next round; -1 with `err`. */
int bm_live_hold(struct bm_tend *tend, struct bm_error *err);
int bm_live_release(struct bm_tend *tend, struct bm_error *err);

/* Number of the last lift_fence() or raise_fence() that has waited for the sequences, and
 * the answer that they are set: see hand_over.sql. */
int bm_live_asked(struct bm_tend *tend, int64_t *number, struct bm_error *err);
int bm_live_answer(struct bm_tend *tend, int64_t number, struct bm_error *err);

#endif
