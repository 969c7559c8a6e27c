/* restart - how long to wait before the next start, and when to stop trying. */
#ifndef DAEMON_SUPERVISE_RESTART_H
#define DAEMON_SUPERVISE_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/supervise.h"

/*
 * Milliseconds to wait after `failures` consecutive failures: doubling from the first
 * to the limit, then up to a tenth less or more, as `random` says, so that units that
 * died together do not all come back in the same instant. Never above the limit.
 */
uint64_t bm_restart_delay_msec(
		const struct bm_unit_policy *policy, unsigned failures, uint64_t random);

/* True when `failures` are as many as the policy allows. */
bool bm_restart_gives_up(const struct bm_unit_policy *policy, unsigned failures);

/* True when having been ready for `ready_msec` makes earlier failures history. */
bool bm_restart_is_stable(const struct bm_unit_policy *policy, uint64_t ready_msec);

/* What a person asked for again and again: restarts, and other definitions. */
struct bm_asks {
	unsigned count;	  /* in a row */
	uint64_t at_msec; /* of the last one */
};

/* Those are history that are old. */
void bm_asks_forget_old(struct bm_asks *asks, uint64_t now_msec);
void bm_asks_note(struct bm_asks *asks, uint64_t now_msec);

/* The next number of a small generator; `state` must not be 0. */
uint64_t bm_restart_random(uint64_t *state);

#endif
