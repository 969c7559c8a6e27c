/* escalation - see escalation.h */
#include "daemon/health/escalation.h"

#include <assert.h>

#include "bucardo_machine/macros.h"

/* The cause may be gone without anybody having told us. */
#define HOLD_RETRY_MSEC (10 * 60 * 1000)

/* How long a step has before the next one: the repair's own time, a run that
 * starts from cold, and the observer's delay. */
static const struct {
	const char *name;
	uint64_t patience_msec;
} steps[] = {
		[BM_ESCALATION_NONE] = {"none", 0},
		[BM_ESCALATION_KICK] = {"kick", 15000},
		[BM_ESCALATION_RELOAD_SYNC] = {"reload-sync", 25000},
		[BM_ESCALATION_RESTART_TREE] = {"restart-tree", 45000},
		[BM_ESCALATION_RESTART_POSTGRES] = {"restart-postgres", 90000},
		[BM_ESCALATION_HOLD] = {"hold", UINT64_MAX},
};
static_assert(BM_COUNT_OF(steps) == BM_ESCALATION_COUNT, "every step has a row");

const char *bm_escalation_name(enum bm_escalation step)
{
	return step < BM_ESCALATION_COUNT ? steps[step].name : "?";
}

const char *bm_recovery_name(enum bm_recovery result)
{
	static const char *const names[] = {
			[BM_RECOVERY_RECOVERED] = "recovered",
			[BM_RECOVERY_FAILED] = "failed",
			[BM_RECOVERY_OTHER] = "other",
	};
	static_assert(BM_COUNT_OF(names) == BM_RECOVERY_COUNT, "a result has no name");

	return (size_t)result < BM_COUNT_OF(names) ? names[result] : "?";
}

enum bm_escalation escalation_next(const struct escalation_state *state, enum bm_health health,
		uint64_t steady_msec, uint64_t now_msec, unsigned slowness)
{
	if (health != BM_HEALTH_STALLED || state->step == BM_ESCALATION_HOLD) {
		return BM_ESCALATION_NONE;
	}
	uint64_t since = state->taken_msec > steady_msec ? state->taken_msec : steady_msec;
	uint64_t patience = steps[state->step].patience_msec;
	if (state->step != BM_ESCALATION_NONE && now_msec - since < patience * slowness) {
		return BM_ESCALATION_NONE;
	}
	return state->step + 1;
}

void escalation_taken(
		struct escalation_state *state, enum bm_escalation step, uint64_t now_msec)
{
	state->step = step;
	state->taken_msec = now_msec;
}

bool escalation_is_over(const struct escalation_state *state, enum bm_health health,
		uint64_t applied_msec, uint64_t steady_msec, uint64_t now_msec)
{
	bool is_other_trouble = health == BM_HEALTH_BLOCKED ||
			health == BM_HEALTH_UNREACHABLE || health == BM_HEALTH_FAILING ||
			health == BM_HEALTH_STOPPED;
	bool is_begun_anew = state->step == BM_ESCALATION_HOLD &&
			(steady_msec > state->taken_msec ||
					now_msec - state->taken_msec >= HOLD_RETRY_MSEC);

	return state->step != BM_ESCALATION_NONE &&
			(is_other_trouble || is_begun_anew || applied_msec > state->taken_msec);
}
