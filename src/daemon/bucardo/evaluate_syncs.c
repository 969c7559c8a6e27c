/* evaluate_syncs - samples in, views and repairs out: the memory around health.c. */
#include <stdlib.h>
#include <string.h>

#include "daemon/bucardo/internal.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"

/* An observer that looks tells every 5 s at least. */
#define BLIND_MSEC 20000

struct evaluated_sync *evaluate_find(struct bm_bucardo *bucardo, const char *name)
{
	for (size_t i = 0; i < bucardo->evaluation.count; i++) {
		if (strcmp(bucardo->evaluation.syncs[i].name, name) == 0) {
			return &bucardo->evaluation.syncs[i];
		}
	}
	return NULL;
}

static void sync_finish(struct evaluated_sync *sync)
{
	free(sync->name);
	bm_strbuf_finish(&sync->why);
	bm_strbuf_finish(&sync->advice);
	free(sync->bad_text);
	free(sync->blocker_query);
	free(sync->blocker_db);
}

void evaluate_close(struct bm_bucardo *bucardo)
{
	for (size_t i = 0; i < bucardo->evaluation.count; i++) {
		sync_finish(&bucardo->evaluation.syncs[i]);
	}
	free(bucardo->evaluation.syncs);
	bm_strbuf_finish(&bucardo->evaluation.unreachable);
	bucardo->evaluation = (struct sync_evaluation){.can_start = true};
}

static struct evaluated_sync *add_sync(struct sync_evaluation *evaluation, const char *name)
{
	evaluation->syncs = bm_realloc(
			evaluation->syncs, evaluation->count + 1, sizeof(*evaluation->syncs));
	struct evaluated_sync *sync = &evaluation->syncs[evaluation->count++];
	*sync = (struct evaluated_sync){.name = bm_strdup(name), .escalation_lag_msec = -1};
	return sync;
}

static void drop_absent(struct sync_evaluation *evaluation)
{
	size_t kept = 0;

	for (size_t i = 0; i < evaluation->count; i++) {
		if (evaluation->syncs[i].present) {
			evaluation->syncs[kept++] = evaluation->syncs[i];
		} else {
			sync_finish(&evaluation->syncs[i]);
		}
	}
	evaluation->count = kept;
}

static void replace(char **text, const char *by)
{
	free(*text);
	*text = bm_strdup(by != NULL ? by : "");
}

static void copy_sample(struct evaluated_sync *sync, const struct bm_sync_sample *sample)
{
	sync->present = true;
	if (sample->active && !sync->active) {
		sync->active_msec = bm_clock_msec();
	}
	sync->active = sample->active;
	sync->autokick = sample->autokick;
	sync->run_open = sample->run_open;
	sync->backlog_rows = sample->backlog_rows;
	sync->lag_msec = sample->lag_msec;
	sync->good_age_msec = sample->good_age_msec;
	sync->bad_age_msec = sample->bad_age_msec;
	sync->recent_failures = sample->recent_failures;
	sync->blocker_pid = sample->blocker_pid;
	sync->conflicts = sample->conflicts;
	sync->applied_rows = sample->applied_rows;
	/* Less is told while a database has not answered yet. */
	if (sample->requeued_rows > sync->requeued_rows) {
		sync->requeued_rows = sample->requeued_rows;
	}
	replace(&sync->bad_text, sample->bad_text);
	replace(&sync->blocker_query, sample->blocker_query);
	replace(&sync->blocker_db, sample->blocker_db);
}

static bool all_reachable(const struct bm_sync_sample *sync, const struct bm_observation *all)
{
	for (size_t i = 0; i < sync->db_count; i++) {
		if (all->dbs[sync->dbs[i]].reach == BM_REACH_NO) {
			return false;
		}
	}
	return true;
}

static void set_health(struct bm_bucardo *bucardo, struct evaluated_sync *sync,
		enum bm_health health, uint64_t now)
{
	if (health == sync->health && sync->since_msec != 0) {
		return;
	}
	/* Coming and going of runs is not news. */
	bool calm = health <= BM_HEALTH_CATCHING_UP && sync->health <= BM_HEALTH_CATCHING_UP;
	bm_log(BM_LOG_DEBUG, BUCARDO_AREA,
			BM_FIELDS(bm_str("sync", sync->name),
					bm_str("from", bm_health_name(sync->health)),
					bm_str("to", bm_health_name(health)),
					bm_int("rows", sync->backlog_rows),
					bm_int("lag_ms", sync->lag_msec),
					bm_str("why", bm_strbuf_text(&sync->why))),
			"health of the sync changed");
	if (!calm) {
		bucardo_event(bucardo, BM_BUCARDO_NOTE, "sync '%s' is %s%s%s", sync->name,
				bm_health_name(health), sync->why.length > 0 ? ": " : "",
				bm_strbuf_text(&sync->why));
	}
	sync->health = health;
	sync->since_msec = now;
}

static void evaluate_sync(struct bm_bucardo *bucardo, const struct bm_sync_sample *sample,
		const struct bm_observation *observation)
{
	struct evaluated_sync *sync = evaluate_find(bucardo, sample->name);
	const struct daemon *daemon = &bucardo->daemon;
	struct declared_sync *declared = declared_find(bucardo, sample->name);
	const struct health_limits limits = {
			.stalled_after_msec = bucardo->options.stalled_after_msec *
					bucardo->slowness,
			.stopped = daemon->operator_stop || bucardo->evaluation.stopped,
			.paused = sync != NULL && sync->paused,
			.paused_msec = sync != NULL ? sync->paused_msec : 0,
			.declared = declared != NULL,
			.held = declared != NULL && !declared->released,
			.is_migration_paused = declared != NULL && declared->paused,
			.changing = declared != NULL && declared->changing,
			.ready_msec = daemon->ready_msec,
			.escalation = bucardo->options.escalation,
	};
	struct bm_sync_sample seen = *sample;

	seen.autokick = sample->autokick || (declared != NULL && declared->released);
	if (sync == NULL) {
		sync = add_sync(&bucardo->evaluation, sample->name);
	}
	copy_sample(sync, &seen);
	sync->released = declared != NULL && declared->released && !sample->autokick;
	sync->reachable = all_reachable(&seen, observation);
	health_remember(&sync->history, &seen, observation->taken_msec);
	if (master_has_queue(bucardo, observation->taken_msec) &&
			served_is_missing(bucardo, sync, observation->taken_msec)) {
		sync->history.progress_msec = observation->taken_msec;
	}
	sync->was_held = limits.held;
	enum bm_health health = health_evaluate(
			&sync->history, &seen, observation, &limits, &sync->why, &sync->advice);
	set_health(bucardo, sync, health, observation->taken_msec);
	if (declared != NULL && declared->paused && sync->active && sync->wish >= 0) {
		wish_set(sync, -1);
	} else if (declared != NULL && declared->resumed) {
		declared->resumed = false;
		wish_set(sync, 1);
		sync->resuming = true;
	}
}

/* Some active sync has everything within reach, or there is no active one. */
static void record_reach(
		struct sync_evaluation *evaluation, const struct bm_observation *observation)
{
	size_t active = 0, possible = 0;

	for (size_t i = 0; i < observation->sync_count; i++) {
		const struct bm_sync_sample *sync = &observation->syncs[i];
		active += sync->active;
		possible += sync->active && all_reachable(sync, observation);
	}
	evaluation->can_start = active == 0 || possible > 0;
	bm_strbuf_clear(&evaluation->unreachable);
	for (size_t i = 0; i < observation->db_count; i++) {
		const struct bm_db_sample *db = &observation->dbs[i];
		if (db->reach == BM_REACH_NO) {
			bm_strbuf_printf(&evaluation->unreachable,
					"%sdatabase '%s' is unreachable: %s",
					evaluation->unreachable.length > 0 ? "; " : "",
					db->name, db->error);
		}
	}
}

void bm_bucardo_observe(struct bm_bucardo *bucardo, const struct bm_observation *observation)
{
	struct sync_evaluation *evaluation = &bucardo->evaluation;

	evaluation->taken_msec = observation->taken_msec;
	for (size_t i = 0; i < evaluation->count; i++) {
		evaluation->syncs[i].present = false;
	}
	for (size_t i = 0; i < observation->sync_count; i++) {
		evaluate_sync(bucardo, &observation->syncs[i], observation);
	}
	drop_absent(evaluation);
	record_reach(evaluation, observation);
	/* A safety net under the folder watch. */
	daemon_piddir_changed(bucardo);
	children_rescan(bucardo);
	settings_observe(bucardo, observation);
	repair_all(bucardo);
}

void bm_bucardo_set_slowness(struct bm_bucardo *bucardo, unsigned factor)
{
	bucardo->slowness = factor > 0 ? factor : 1;
}

void bm_bucardo_set_stopped(struct bm_bucardo *bucardo, bool stopped)
{
	bucardo->evaluation.stopped = stopped;
}

bool bm_bucardo_can_start(const struct bm_bucardo *bucardo, struct bm_strbuf *why)
{
	if (why != NULL && !bucardo->evaluation.can_start) {
		bm_strbuf_puts(why, bm_strbuf_text(&bucardo->evaluation.unreachable));
	}
	return bucardo->evaluation.can_start;
}

size_t bm_bucardo_sync_count(const struct bm_bucardo *bucardo)
{
	return bucardo->evaluation.count;
}

/* Nobody has looked for so long that nothing is known of what waits. */
static void forget_backlog(struct bm_sync_view *view, uint64_t taken_msec)
{
	if (view->health <= BM_HEALTH_CATCHING_UP) {
		view->health = BM_HEALTH_UNKNOWN;
		view->since_msec = taken_msec;
		view->why = "nobody has looked at its databases since then: the observer says nothing";
	}
	view->backlog_rows = view->lag_msec = view->catch_up_msec = -1;
	view->trend = BM_TREND_UNKNOWN;
	view->shrink_rate = 0;
}

struct bm_sync_view bm_bucardo_sync(const struct bm_bucardo *bucardo, size_t index)
{
	const struct evaluated_sync *sync = &bucardo->evaluation.syncs[index];
	struct health_trend trend = health_trend(&sync->history,
			sync->run_open && sync->blocker_pid == 0 && sync->reachable);

	struct bm_sync_view view = {
			.name = sync->name,
			.health = sync->health,
			.since_msec = sync->since_msec,
			.why = bm_strbuf_text(&sync->why),
			.advice = bm_strbuf_text(&sync->advice),
			.backlog_rows = sync->backlog_rows,
			.lag_msec = sync->lag_msec,
			.good_age_msec = sync->good_age_msec,
			.bad_age_msec = sync->bad_age_msec,
			.bad_text = sync->bad_text,
			.blocker_pid = sync->blocker_pid,
			.blocker_query = sync->blocker_query,
			.blocker_db = sync->blocker_db,
			.step = sync->escalation.step,
			.trend = trend.trend,
			.shrink_rate = trend.shrink_rate,
			.catch_up_msec = trend.catch_up_msec,
			.requeued_rows = sync->requeued_rows,
			.conflicts = sync->conflicts,
			.applied_rows = sync->applied_rows,
	};
	uint64_t now = bm_clock_msec();

	if (now - bucardo->evaluation.taken_msec >= BLIND_MSEC) {
		forget_backlog(&view, bucardo->evaluation.taken_msec);
	}
	served_show(bucardo, sync, &view, now);
	return view;
}
