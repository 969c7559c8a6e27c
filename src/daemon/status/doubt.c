/* What is known of the syncs while something that replication needs does not run: nothing. */
#include "bucardo_machine/status.h"

#include <stdio.h>
#include <string.h>

static bool is_needed(const char *kind)
{
	return strcmp(kind, "postgres") == 0 || strcmp(kind, "bucardo") == 0;
}

uint64_t bm_status_doubt(const struct bm_status *status, char *why, size_t size)
{
	why[0] = '\0';
	for (size_t i = 0; i < status->unit_count; i++) {
		const struct bm_unit_view *unit = &status->units[i].view;
		if (is_needed(status->units[i].kind) && unit->state != BM_UNIT_READY) {
			snprintf(why, size, "nothing is applied: '%s' is %s: %s", unit->name,
					bm_unit_state_name(unit->state), unit->why);
			return unit->since_msec;
		}
	}
	return 0;
}

/* Those that say by themselves why nothing is applied. */
static bool has_reason(enum bm_health health)
{
	return health == BM_HEALTH_STOPPED || health == BM_HEALTH_UNREACHABLE ||
			health == BM_HEALTH_FAILING;
}

void bm_sync_doubt(struct bm_sync_view *sync, const char *why, uint64_t since_msec)
{
	if (why[0] == '\0') {
		return;
	}
	if (!has_reason(sync->health)) {
		sync->health = BM_HEALTH_UNKNOWN;
		sync->why = why;
		sync->advice = "";
		sync->since_msec = since_msec;
	}
	/* What waits is counted at the databases; that nothing waits does not last. */
	if (sync->backlog_rows <= 0) {
		sync->lag_msec = -1;
	}
	sync->catch_up_msec = -1;
	if (sync->trend != BM_TREND_GROWS) {
		sync->trend = BM_TREND_UNKNOWN;
		sync->shrink_rate = 0;
	}
}
