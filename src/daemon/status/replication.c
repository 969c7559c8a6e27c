/* What waits, for how long, and whether it gets less: over all syncs of a migration. */
#include "daemon/status/replication.h"

#include "bucardo_machine/syncs.h"

struct sum {
	size_t count;
	int64_t backlog_rows, lag_msec, catch_up_msec, shrink_rate, requeued_rows, conflicts,
			applied_rows;
	enum bm_trend trend;
	enum bm_health health;
};

/* Unknown (-1) is the answer for all when one is unknown. */
static int64_t plus(int64_t a, int64_t b)
{
	return a < 0 || b < 0 ? -1 : a + b;
}

static int64_t longer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* It is as far as the slowest of them. */
static enum bm_trend worse(enum bm_trend a, enum bm_trend b)
{
	static const int rank[BM_TREND_COUNT] = {
			[BM_TREND_STEADY] = 0,
			[BM_TREND_SHRINKS] = 1,
			[BM_TREND_UNKNOWN] = 2,
			[BM_TREND_GROWS] = 3,
	};

	return rank[a] > rank[b] ? a : b;
}

/* The health that says most about all of them: the later in the list, the worse. */
static enum bm_health sicker(enum bm_health a, enum bm_health b)
{
	return a > b ? a : b;
}

static void add_sync(struct sum *sum, const struct bm_sync_view *sync)
{
	sum->count++;
	sum->backlog_rows = plus(sum->backlog_rows, sync->backlog_rows);
	sum->lag_msec = sum->lag_msec < 0 || sync->lag_msec < 0
			? -1
			: longer(sum->lag_msec, sync->lag_msec);
	sum->catch_up_msec = longer(sum->catch_up_msec, sync->catch_up_msec);
	sum->shrink_rate += sync->shrink_rate;
	sum->requeued_rows = plus(sum->requeued_rows, sync->requeued_rows);
	sum->conflicts = plus(sum->conflicts, sync->conflicts);
	sum->applied_rows = plus(sum->applied_rows, sync->applied_rows);
	sum->trend = worse(sum->trend, sync->trend);
	sum->health = sicker(sum->health, sync->health);
}

static json_t *known(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

json_t *bm_replication_json(const struct bm_status *status, const char *migration)
{
	struct sum sum = {.catch_up_msec = -1, .trend = BM_TREND_STEADY};

	for (size_t i = 0; i < status->sync_count; i++) {
		if (bm_sync_is_of(status->syncs[i].name, migration)) {
			add_sync(&sum, &status->syncs[i]);
		}
	}
	if (sum.count == 0) {
		return json_null();
	}
	int64_t catch_up = sum.trend == BM_TREND_SHRINKS ? sum.catch_up_msec : -1;
	return json_pack("{s:i, s:s, s:o, s:o, s:s, s:I, s:o, s:o, s:o, s:o}", "syncs",
			(int)sum.count, "health", bm_health_name(sum.health), "backlog_rows",
			known(sum.backlog_rows), "lag_msec", known(sum.lag_msec), "trend",
			bm_trend_name(sum.trend), "shrink_rate", (json_int_t)sum.shrink_rate,
			"catch_up_msec", known(catch_up), "requeued_rows",
			known(sum.requeued_rows), "conflicts", known(sum.conflicts),
			"applied_rows", known(sum.applied_rows));
}

/* Each step with each of its results, also those that there were none of: counters begin at 0.
 */
json_t *bm_recoveries_json(const struct bm_recoveries *recoveries)
{
	json_t *list = json_array();

	for (int step = BM_ESCALATION_KICK; recoveries != NULL && step < BM_ESCALATION_COUNT;
			step++) {
		for (int result = 0; result < BM_RECOVERY_COUNT; result++) {
			json_array_append_new(list,
					json_pack("{s:s, s:s, s:I}", "step",
							bm_escalation_name(step), "result",
							bm_recovery_name(result), "count",
							(json_int_t)recoveries
									->count[step][result]));
		}
	}
	return list;
}
