/* The restart policy: pure functions of the policy and the count of failures. */
#include "daemon/supervise/restart.h"

uint64_t bm_restart_delay_msec(
		const struct bm_unit_policy *policy, unsigned failures, uint64_t random)
{
	uint64_t limit = policy->backoff_limit_msec;
	uint64_t delay = policy->backoff_first_msec;

	for (unsigned i = 1; i < failures && delay < limit; i++) {
		delay *= 2;
	}
	if (delay > limit) {
		delay = limit;
	}
	delay = delay - delay / 10 + random % (delay / 5 + 1);
	return delay < limit ? delay : limit;
}

bool bm_restart_gives_up(const struct bm_unit_policy *policy, unsigned failures)
{
	return policy->give_up_after != 0 && failures >= policy->give_up_after;
}

bool bm_restart_is_stable(const struct bm_unit_policy *policy, uint64_t ready_msec)
{
	return ready_msec >= policy->stable_after_msec;
}

#define ASKS_OLD_MSEC ((uint64_t)10 * 60 * 1000)

void bm_asks_forget_old(struct bm_asks *asks, uint64_t now_msec)
{
	if (now_msec - asks->at_msec >= ASKS_OLD_MSEC) {
		asks->count = 0;
	}
}

void bm_asks_note(struct bm_asks *asks, uint64_t now_msec)
{
	asks->count++;
	asks->at_msec = now_msec;
}

uint64_t bm_restart_random(uint64_t *state)
{
	/* xorshift64: spread is all that is asked of it */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}
