/* ladder - see ladder.h */
#include "daemon/health/ladder.h"

#include <assert.h>

#include "bucardo_machine/macros.h"

/* The cause may be gone without anybody having told us. */
#define HOLD_RETRY_MSEC (10 * 60 * 1000)

/* How long a rung has before the next one: the repair's own time, a run that
 * starts from cold, and the observer's delay. */
static const struct {
	const char *name;
	uint64_t patience_msec;
} rungs[] = {
		[BM_RUNG_NONE] = {"none", 0},
		[BM_RUNG_KICK] = {"kick", 15000},
		[BM_RUNG_RELOAD_SYNC] = {"reload-sync", 25000},
		[BM_RUNG_RESTART_TREE] = {"restart-tree", 45000},
		[BM_RUNG_RESTART_POSTGRES] = {"restart-postgres", 90000},
		[BM_RUNG_HOLD] = {"hold", UINT64_MAX},
};
static_assert(BM_COUNT_OF(rungs) == BM_RUNG_COUNT, "every rung has a row");

const char *bm_rung_name(enum bm_rung rung)
{
	return rung < BM_RUNG_COUNT ? rungs[rung].name : "?";
}

enum bm_rung ladder_next(const struct ladder_state *state, enum bm_health health,
		uint64_t steady_msec, uint64_t now_msec, unsigned slowness)
{
	if (health != BM_HEALTH_STALLED || state->rung == BM_RUNG_HOLD) {
		return BM_RUNG_NONE;
	}
	uint64_t since = state->climbed_msec > steady_msec ? state->climbed_msec : steady_msec;
	uint64_t patience = rungs[state->rung].patience_msec;
	if (state->rung != BM_RUNG_NONE && now_msec - since < patience * slowness) {
		return BM_RUNG_NONE;
	}
	return state->rung + 1;
}

void ladder_climbed(struct ladder_state *state, enum bm_rung rung, uint64_t now_msec)
{
	state->rung = rung;
	state->climbed_msec = now_msec;
}

bool ladder_is_over(const struct ladder_state *state, enum bm_health health,
		uint64_t applied_msec, uint64_t steady_msec, uint64_t now_msec)
{
	bool is_other_trouble = health == BM_HEALTH_BLOCKED ||
			health == BM_HEALTH_UNREACHABLE || health == BM_HEALTH_FAILING ||
			health == BM_HEALTH_STOPPED;
	bool is_begun_anew = state->rung == BM_RUNG_HOLD &&
			(steady_msec > state->climbed_msec ||
					now_msec - state->climbed_msec >= HOLD_RETRY_MSEC);

	return state->rung != BM_RUNG_NONE &&
			(is_other_trouble || is_begun_anew ||
					applied_msec > state->climbed_msec);
}
