/* What states and events of a unit are called. */
#include "bucardo_machine/supervise.h"

#include <assert.h>

#include "bucardo_machine/macros.h"

bool bm_unit_state_is_up(enum bm_unit_state state)
{
	return state == BM_UNIT_STARTING || state == BM_UNIT_READY || state == BM_UNIT_STOPPING;
}

const char *bm_unit_state_name(enum bm_unit_state state)
{
	static const char *const names[] = {
			[BM_UNIT_DOWN] = "down",
			[BM_UNIT_STARTING] = "starting",
			[BM_UNIT_READY] = "ready",
			[BM_UNIT_STOPPING] = "stopping",
			[BM_UNIT_BACKOFF] = "backoff",
			[BM_UNIT_FAILED] = "failed",
	};

	static_assert(BM_COUNT_OF(names) == BM_UNIT_STATE_COUNT, "every state has a name");
	return (size_t)state < BM_COUNT_OF(names) ? names[state] : "unknown";
}

const char *bm_unit_event_name(enum bm_unit_event event)
{
	static const char *const names[] = {
			[BM_UNIT_WANT_UP] = "want-up",
			[BM_UNIT_WANT_DOWN] = "want-down",
			[BM_UNIT_BECAME_READY] = "became-ready",
			[BM_UNIT_LOST_READY] = "lost-ready",
			[BM_UNIT_EXITED] = "exited",
			[BM_UNIT_TIMED_OUT] = "timed-out",
			[BM_UNIT_ADOPTED] = "adopted",
			[BM_UNIT_SPAWN_FAILED] = "spawn-failed",
			[BM_UNIT_RESTART] = "restart",
			[BM_UNIT_RENEW] = "renew",
			[BM_UNIT_WANT_UP_SOON] = "want-up-soon",
			[BM_UNIT_EXITED_UNREADY] = "exited-unready",
			[BM_UNIT_GAVE_UP] = "gave-up",
	};

	static_assert(BM_COUNT_OF(names) == BM_UNIT_EVENT_COUNT, "every event has a name");
	return (size_t)event < BM_COUNT_OF(names) ? names[event] : "unknown";
}
