/* A status to draw and to print, for the tests of it: two units, two databases, a healthy sync.
 */
#ifndef TESTS_UNIT_STATUS_H
#define TESTS_UNIT_STATUS_H

#include "bucardo_machine/macros.h"
#include "daemon/status/json.h"

#define NOW_MSEC 100000000
#define WALL_MSEC 1795413600000 /* 2026-11-23T06:00:00Z */
#define AGO(seconds) (NOW_MSEC - (seconds)*1000)

static struct bm_status_unit units[] = {
		{
				.view = {.name = "postgres",
						.state = BM_UNIT_READY,
						.wanted = true,
						.since_msec = AGO(7500),
						.last_exit = "",
						.why = "ready"},
				.kind = "postgres",
				.pid = 20,
				.stopped_by = "",
		},
		{
				.view = {.name = "bucardo",
						.state = BM_UNIT_READY,
						.wanted = true,
						.since_msec = AGO(200),
						.restarts = 2,
						.last_exit = "killed by SIGKILL",
						.why = "ready"},
				.kind = "bucardo",
				.pid = 31,
				.stopped_by = "",
		},
};

static struct bm_status_database databases[] = {
		{"src", "source", "", BM_REACH_YES, AGO(7000)},
		{"dst", "target", "", BM_REACH_YES, AGO(7000)},
};

static struct bm_sync_view healthy_sync(void)
{
	return (struct bm_sync_view){
			.name = "app",
			.health = BM_HEALTH_CATCHING_UP,
			.since_msec = AGO(12),
			.why = "",
			.advice = "",
			.backlog_rows = 12345,
			.lag_msec = 3100,
			.good_age_msec = 4000,
			.bad_age_msec = -1,
			.bad_text = "",
			.blocker_query = "",
			.blocker_db = "",
			.trend = BM_TREND_SHRINKS,
			.shrink_rate = 40,
			.catch_up_msec = 300000,
			.requeued_rows = 2,
	};
}

static struct bm_status machine_of(enum bm_machine_state state, size_t sync_count,
		const struct bm_sync_view *syncs)
{
	return (struct bm_status){
			.version = "0.1.0",
			.pid = 1,
			.now_msec = NOW_MSEC,
			.started_at = WALL_MSEC - 7600000,
			.state = state,
			.since_msec = AGO(180),
			.ready = state == BM_MACHINE_READY,
			.why = "",
			.advice = "",
			.volume = "/var/lib/bucardo-machine",
			.runtime = "/run/bucardo-machine",
			.found = "syncs, replication on",
			.config_path = "/var/lib/bucardo-machine/machine.yaml",
			.config_state = "default",
			.config_errors = "",
			.pgpass_warnings = "",
			.unit_count = BM_COUNT_OF(units),
			.units = units,
			.database_count = BM_COUNT_OF(databases),
			.databases = databases,
			.sync_count = sync_count,
			.syncs = syncs,
	};
}

#endif
