/* Restarts that nobody asked for, counted by their beginnings. */
#include "daemon/supervise/restarts.h"

#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"

/* A unit went down by itself or was not ready in time, or the machine renews it. */
static bool begins_restart(
		enum bm_unit_state before, unsigned renewals, const struct bm_unit_view *unit)
{
	if (unit->state == before) {
		return false;
	}
	return unit->state == BM_UNIT_BACKOFF ||
			(unit->state == BM_UNIT_STOPPING && unit->renewals > renewals);
}

static void record(struct restarts *restarts, uint64_t now_msec)
{
	bool close = restarts->last_msec != 0 &&
			now_msec - restarts->last_msec < RESTARTS_CLOSE_MSEC;

	if (!close) {
		memmove(&restarts->at_msec[1], &restarts->at_msec[0],
				sizeof(restarts->at_msec) - sizeof(restarts->at_msec[0]));
		restarts->at_msec[0] = now_msec;
		restarts->burst = 0;
	}
	restarts->last_msec = now_msec;
	restarts->burst++;
}

void bm_restarts_see(
		struct restarts *restarts, const struct bm_unit_view *unit, uint64_t now_msec)
{
	/* A second renewal waits there for its start: it was counted when it began. */
	bool same = unit->state == BM_UNIT_BACKOFF && restarts->state == BM_UNIT_DOWN;

	if (!same && begins_restart(restarts->state, restarts->renewals, unit)) {
		record(restarts, now_msec);
		snprintf(restarts->why, sizeof(restarts->why), "%s", unit->why);
	}
	restarts->state = unit->state;
	restarts->renewals = unit->renewals;
}

static uint64_t calm_msec(uint64_t all_msec)
{
	uint64_t twice = 2 * all_msec / (RESTARTS_MANY - 1);

	return twice > RESTARTS_CALM_MSEC ? twice : RESTARTS_CALM_MSEC;
}

static void print(const struct restarts *restarts, unsigned times, uint64_t first_msec,
		uint64_t now_msec, struct bm_strbuf *why)
{
	char within[BM_CLOCK_TEXT_SIZE], ago[BM_CLOCK_TEXT_SIZE];

	bm_clock_format_span(restarts->last_msec - first_msec, within);
	bm_clock_format_span(now_msec - restarts->last_msec, ago);
	bm_strbuf_printf(why,
			"Bucardo is restarted again and again: %u times within %s, last %s ago: %s",
			times, within, ago, restarts->why);
}

bool bm_restarts_are_many(
		const struct restarts *restarts, uint64_t now_msec, struct bm_strbuf *why)
{
	uint64_t first = restarts->at_msec[RESTARTS_MANY - 1], newest = restarts->at_msec[0];
	uint64_t last = restarts->last_msec;

	if (restarts->burst >= RESTARTS_BURST && last - newest >= RESTARTS_BURST_MSEC &&
			now_msec - last < RESTARTS_CALM_MSEC) {
		print(restarts, restarts->burst, newest, now_msec, why);
		return true;
	}
	if (first != 0 && now_msec - first <= RESTARTS_WITHIN_MSEC &&
			now_msec - last < calm_msec(last - first)) {
		print(restarts, RESTARTS_MANY, first, now_msec, why);
		return true;
	}
	return false;
}
