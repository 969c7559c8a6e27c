/*
 * The snapshot as JSON, documented in docs/status.md. Every moment is given twice:
 * as an age in milliseconds, exact whatever the clocks do, and as a wall time.
 */
#include "bucardo_machine/status.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "daemon/status/json.h"
#include "daemon/status/migration.h"
#include "daemon/status/replication.h"

/* When the snapshot was taken, by both clocks. */
struct moment {
	uint64_t msec;
	int64_t wall_msec;
};

const char *bm_machine_state_name(enum bm_machine_state state)
{
	static const char *const names[] = {
			[BM_MACHINE_STARTING] = "starting",
			[BM_MACHINE_READY] = "ready",
			[BM_MACHINE_DEGRADED] = "degraded",
			[BM_MACHINE_HOLDING] = "holding",
			[BM_MACHINE_STOPPING] = "stopping",
	};
	static_assert(BM_COUNT_OF(names) == BM_MACHINE_STATE_COUNT, "a state has no name");

	return (size_t)state < BM_COUNT_OF(names) ? names[state] : "unknown";
}

static const char *reach_name(enum bm_reach reach)
{
	static const char *const names[] = {[BM_REACH_UNKNOWN] = "unknown",
			[BM_REACH_YES] = "yes",
			[BM_REACH_NO] = "no"};

	return (size_t)reach < BM_COUNT_OF(names) ? names[reach] : "unknown";
}

/* The lines of a text as an array, without empty ones. */
static json_t *lines(const char *value)
{
	json_t *array = json_array();

	for (const char *p = value != NULL ? value : ""; *p != '\0';) {
		size_t length = strcspn(p, "\n");
		if (length > 0) {
			char *line = bm_strndup(p, length);
			json_array_append_new(array, bm_json_text(line));
			free(line);
		}
		p += length + (p[length] == '\n');
	}
	return array;
}

/* Unknown numbers are -1 in the snapshot and null in JSON. */
static json_t *known(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *pid_or_null(pid_t pid)
{
	return pid > 0 ? json_integer(pid) : json_null();
}

static json_t *wall(int64_t wall_msec)
{
	char buffer[BM_CLOCK_TEXT_SIZE];

	return wall_msec > 0 ? json_string(bm_clock_format(wall_msec, buffer)) : json_null();
}

/* "since" and "age_msec" of a moment of the monotonic clock; null when it is not set. */
static void set_since(json_t *object, uint64_t since_msec, const struct moment *now)
{
	bool set = since_msec > 0 && since_msec <= now->msec;
	int64_t age = set ? (int64_t)(now->msec - since_msec) : -1;

	json_object_set_new(object, "since", set ? wall(now->wall_msec - age) : json_null());
	json_object_set_new(object, "age_msec", known(age));
}

static void set_text(json_t *object, const char *member, const char *value)
{
	json_object_set_new(object, member, bm_json_text(value));
}

/* 0: nothing is due. */
static json_t *retry_in(uint64_t retry_at_msec, const struct moment *now)
{
	if (retry_at_msec == 0) {
		return json_null();
	}
	return json_integer(
			retry_at_msec > now->msec ? (int64_t)(retry_at_msec - now->msec) : 0);
}

static json_t *unit_json(const struct bm_status_unit *unit, const struct moment *now)
{
	const struct bm_unit_view *view = &unit->view;
	json_t *object = json_object();

	set_text(object, "name", view->name);
	set_text(object, "kind", unit->kind);
	set_text(object, "state", bm_unit_state_name(view->state));
	set_since(object, view->since_msec, now);
	json_object_set_new(object, "wanted", json_boolean(view->wanted));
	json_object_set_new(object, "pid", pid_or_null(unit->pid));
	json_object_set_new(object, "restarts", json_integer(view->restarts));
	json_object_set_new(object, "failures", json_integer(view->failures));
	json_object_set_new(object, "retry_in_msec", retry_in(view->retry_at_msec, now));
	set_text(object, "last_exit", view->last_exit);
	set_text(object, "why", view->why);
	set_text(object, "stopped_by", unit->stopped_by);
	json_object_set_new(object, "stopped_at", wall(unit->stopped_at));
	return object;
}

static json_t *database_json(const struct bm_status *status,
		const struct bm_status_database *database, const struct moment *now)
{
	json_t *object = json_object();

	set_text(object, "name", database->name);
	set_text(object, "role", database->role);
	set_text(object, "part", bm_database_part(status, database));
	set_text(object, "reach", reach_name(database->reach));
	set_since(object, database->since_msec, now);
	set_text(object, "error", database->error);
	return object;
}

static json_t *blocker_json(const struct bm_sync_view *sync)
{
	if (sync->blocker_pid <= 0) {
		return json_null();
	}
	json_t *object = json_object();
	json_object_set_new(object, "pid", json_integer(sync->blocker_pid));
	set_text(object, "database", sync->blocker_db);
	set_text(object, "query", sync->blocker_query);
	return object;
}

static json_t *sync_json(const struct bm_sync_view *sync, const struct moment *now)
{
	json_t *object = json_object();

	set_text(object, "name", sync->name);
	set_text(object, "health", bm_health_name(sync->health));
	set_since(object, sync->since_msec, now);
	set_text(object, "why", sync->why);
	set_text(object, "advice", sync->advice);
	json_object_set_new(object, "backlog_rows", known(sync->backlog_rows));
	json_object_set_new(object, "lag_msec", known(sync->lag_msec));
	json_object_set_new(object, "good_age_msec", known(sync->good_age_msec));
	json_object_set_new(object, "bad_age_msec", known(sync->bad_age_msec));
	set_text(object, "bad_text", sync->bad_text);
	json_object_set_new(object, "blocker", blocker_json(sync));
	set_text(object, "step", bm_escalation_name(sync->step));
	set_text(object, "trend", bm_trend_name(sync->trend));
	json_object_set_new(object, "shrink_rate", json_integer(sync->shrink_rate));
	json_object_set_new(object, "catch_up_msec", known(sync->catch_up_msec));
	json_object_set_new(object, "requeued_rows", known(sync->requeued_rows));
	json_object_set_new(object, "conflicts", known(sync->conflicts));
	json_object_set_new(object, "applied_rows", known(sync->applied_rows));
	return object;
}

/* ---- migrations ---- */

/* Whole percents, rounded down: 100 means all of it. */
static json_t *percent(int64_t done, int64_t total)
{
	return total <= 0 ? json_null()
			  : json_integer((json_int_t)((double)done * 100.0 / (double)total));
}

static json_t *in_flight_json(const json_t *parts)
{
	json_t *array = json_array();
	size_t index;
	const json_t *part;

	json_array_foreach(parts, index, part)
	{
		json_int_t done = json_integer_value(json_object_get(part, "done"));
		json_int_t total = json_integer_value(json_object_get(part, "total"));
		json_array_append_new(array,
				json_pack("{s:O, s:O, s:I, s:I, s:o, s:O}", "name",
						json_object_get(part, "name"), "step",
						json_object_get(part, "step"), "done", done,
						"total", total, "percent", percent(done, total),
						"age_msec", json_object_get(part, "age_ms")));
	}
	return array;
}

static bool is_done(const struct bm_migration_view *migration)
{
	return migration->phases != NULL && migration->phase < BM_PHASE_COUNT &&
			migration->phases[migration->phase].state == BM_RECORD_DONE;
}

/* All that was counted may be done while the phase is not: something may follow. */
static json_t *percent_of_phase(const struct bm_migration_view *migration)
{
	if (is_done(migration)) {
		return json_integer(100);
	}
	return migration->total > 0 && migration->done >= migration->total
			? json_integer(99)
			: percent(migration->done, migration->total);
}

static json_t *progress_json(
		const struct bm_status *status, const struct bm_migration_view *migration)
{
	json_t *object = json_object();
	int64_t eta_msec = bm_migration_is_cut_off(status, migration) ? -1
								      : migration->eta_msec;

	set_text(object, "unit", migration->unit);
	set_text(object, "text", migration->text);
	json_object_set_new(object, "done", json_integer(migration->done));
	json_object_set_new(object, "total",
			migration->total > 0 ? json_integer(migration->total) : json_null());
	json_object_set_new(object, "percent", percent_of_phase(migration));
	json_object_set_new(object, "rate", known(migration->rate));
	json_object_set_new(object, "eta_msec", known(eta_msec));
	json_object_set_new(object, "rows", known(migration->rows));
	json_object_set_new(object, "pieces_done", known(migration->pieces_done));
	json_object_set_new(object, "pieces_total", known(migration->pieces_total));
	json_object_set_new(object, "in_flight", in_flight_json(migration->in_flight));
	return object;
}

static json_t *findings_json(const struct bm_migration_view *migration)
{
	json_t *array = json_array();

	for (size_t i = 0; i < migration->finding_count; i++) {
		const struct bm_finding *finding = &migration->findings[i];
		json_t *object = json_object();
		set_text(object, "severity", bm_severity_name(finding->severity));
		set_text(object, "object", finding->object);
		set_text(object, "why", finding->why);
		set_text(object, "hint", finding->hint);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *phases_json(const struct bm_migration_view *migration)
{
	json_t *array = json_array();

	for (enum bm_phase phase = 0; phase < BM_PHASE_COUNT; phase++) {
		const struct bm_phase_view *view = &migration->phases[phase];
		json_t *object = json_object();
		json_t *evidence = json_loads(view->evidence, 0, NULL);
		set_text(object, "phase", bm_phase_name(phase));
		set_text(object, "state",
				migration->unread ? "unknown"
						  : bm_record_state_name(view->state));
		json_object_set_new(object, "started_at", wall(view->started_at));
		json_object_set_new(object, "ended_at", wall(view->ended_at));
		json_object_set_new(
				object, "evidence", evidence != NULL ? evidence : json_null());
		json_array_append_new(array, object);
	}
	return array;
}

/* The worker's evidence, and how the worker itself is; null before its first line. */
static json_t *beside_json(const struct bm_beside_view *beside, const struct moment *now)
{
	json_t *object = json_loads(beside->evidence, 0, NULL);

	if (object == NULL && beside->pid == 0 && beside->why[0] == '\0') {
		return json_null();
	}
	if (object == NULL) {
		object = json_object();
	}
	json_object_set_new(object, "pid", pid_or_null(beside->pid));
	set_text(object, "why", beside->why);
	set_since(object, beside->reported_msec, now);
	return object;
}

/* Null when nobody asked for it. */
static json_t *teardown_json(const struct bm_leaving_view *leaving)
{
	json_t *object = json_object(), *result;

	if (!leaving->asked) {
		json_decref(object);
		return json_null();
	}
	result = json_loads(leaving->evidence, 0, NULL);
	json_object_set_new(object, "asked_at", wall(leaving->at));
	set_text(object, "by", leaving->by);
	set_text(object, "without", leaving->without);
	set_text(object, "state", bm_record_state_name(leaving->state));
	json_object_set_new(object, "result", result != NULL ? result : json_null());
	return object;
}

/* Null when there was no attempt. */
static json_t *cutover_json(const struct bm_changing_view *changing)
{
	if (changing->number == 0) {
		return json_null();
	}
	json_t *object = json_object(), *result = json_loads(changing->evidence, 0, NULL);
	json_object_set_new(object, "number", json_integer((json_int_t)changing->number));
	set_text(object, "direction", bm_phase_name(changing->phase));
	set_text(object, "mode", changing->rehearses ? "rehearse" : "run");
	json_object_set_new(object, "under_way", json_boolean(changing->under_way));
	json_object_set_new(object, "asked_at", wall(changing->at));
	json_object_set_new(object, "ended_at", wall(changing->ended_at));
	json_object_set_new(object, "rehearsed_at", wall(changing->rehearsed_at));
	set_text(object, "by", changing->by);
	set_text(object, "state", bm_record_state_name(changing->state));
	set_text(object, "error", changing->error);
	set_text(object, "hint", changing->hint);
	json_object_set_new(object, "result", result != NULL ? result : json_null());
	return object;
}

static json_t *migration_json(const struct bm_status *status,
		const struct bm_migration_view *migration, const struct moment *now)
{
	json_t *object = json_object();
	set_text(object, "name", migration->name);
	json_object_set_new(object, "phase",
			migration->unread ? json_null()
					  : json_string(bm_phase_name(migration->phase)));
	set_text(object, "status", bm_migration_word(status, migration));
	set_text(object, "until", bm_phase_name(migration->until));
	set_since(object, migration->since_msec, now);
	set_text(object, "why", migration->why);
	set_text(object, "hint", migration->hint);
	json_object_set_new(object, "pid", pid_or_null(migration->pid));
	json_object_set_new(object, "attempt", json_integer(migration->attempt));
	json_object_set_new(object, "class",
			migration->attempt > 0
					? json_string(bm_failure_name(migration->failure))
					: json_null());
	json_object_set_new(object, "retry_in_msec", retry_in(migration->retry_at_msec, now));
	json_object_set_new(object, "released", json_boolean(migration->released));
	json_object_set_new(object, "recorded", json_boolean(migration->recorded));
	json_object_set_new(
			object, "live", json_boolean(bm_migration_is_live(status, migration)));
	json_t *reconcile = beside_json(&migration->reconcile, now);
	json_object_set_new(object, "not_in_step",
			bm_not_in_step_json(reconcile, status, now->wall_msec));
	json_object_set_new(object, "reconcile", reconcile);
	json_object_set_new(object, "verify", beside_json(&migration->verify, now));
	bm_doctor_set(object, beside_json(&migration->doctor, now));
	json_object_set_new(object, "progress", progress_json(status, migration));
	json_object_set_new(
			object, "replication", bm_replication_json(status, migration->name));
	json_object_set_new(object, "cutover", cutover_json(&migration->changing));
	json_object_set_new(object, "teardown", teardown_json(&migration->leaving));
	if (!status->is_brief) {
		json_object_set_new(object, "findings", findings_json(migration));
	}
	json_object_set_new(object, "phases", phases_json(migration));
	return object;
}

static void set_machine(json_t *root, const struct bm_status *status, const struct moment *now)
{
	int64_t uptime = status->started_at > 0 ? now->wall_msec - status->started_at : -1;

	json_object_set_new(root, "schema", json_integer(BM_STATUS_SCHEMA));
	set_text(root, "version", status->version);
	json_object_set_new(root, "pid", pid_or_null(status->pid));
	json_object_set_new(root, "time", wall(now->wall_msec));
	json_object_set_new(root, "started_at", wall(status->started_at));
	json_object_set_new(root, "uptime_msec", known(uptime));
	set_text(root, "state", bm_machine_state_name(status->state));
	set_since(root, status->since_msec, now);
	json_object_set_new(root, "ready", json_boolean(status->ready));
	set_text(root, "why", status->why);
	set_text(root, "advice", status->advice);
	set_text(root, "volume", status->volume);
	set_text(root, "runtime", status->runtime);
	set_text(root, "found", status->found);
}

static void set_inputs(json_t *root, const struct bm_status *status)
{
	json_t *config = json_object(), *pgpass = json_object();

	set_text(config, "path", status->config_path);
	set_text(config, "state", status->config_state);
	json_object_set_new(config, "errors", lines(status->config_errors));
	json_object_set_new(root, "config", config);
	json_object_set_new(pgpass, "warnings", lines(status->pgpass_warnings));
	json_object_set_new(root, "pgpass", pgpass);
	json_object_set_new(root, "orphans_reaped",
			json_integer((json_int_t)status->orphans_reaped));
	json_object_set_new(root, "log_lines_dropped",
			json_integer((json_int_t)status->log_lines_dropped));
	json_object_set_new(root, "longest_iteration_usec",
			json_integer((json_int_t)status->longest_iteration_usec));
	json_object_set_new(root, "recoveries", bm_recoveries_json(status->recoveries));
}

static json_t *host_json(const struct bm_status_host *host, const struct moment *now)
{
	json_t *object = json_object();

	if (!host->known) {
		json_decref(object);
		return json_null();
	}
	json_object_set_new(object, "slow", json_boolean(host->slow));
	set_since(object, host->since_msec, now);
	set_text(object, "text", host->text);
	json_object_set_new(object, "got_percent", known(host->got_percent));
	json_object_set_new(object, "waited_percent", known(host->waited_percent));
	json_object_set_new(object, "throttled_percent", known(host->throttled_percent));
	json_object_set_new(object, "stolen_percent", known(host->stolen_percent));
	json_object_set_new(object, "pressure_percent", known(host->pressure_percent));
	json_object_set_new(object, "late_msec", json_integer((json_int_t)host->late_msec));
	return object;
}

char *bm_status_json_at(const struct bm_status *status, int64_t wall_msec)
{
	struct moment now = {status->now_msec, wall_msec};
	json_t *root = json_object();
	json_t *units = json_array(), *databases = json_array(), *syncs = json_array();
	json_t *migrations = json_array();

	set_machine(root, status, &now);
	set_inputs(root, status);
	json_object_set_new(root, "host", host_json(&status->host, &now));
	for (size_t i = 0; i < status->unit_count; i++) {
		json_array_append_new(units, unit_json(&status->units[i], &now));
	}
	for (size_t i = 0; i < status->database_count; i++) {
		json_array_append_new(
				databases, database_json(status, &status->databases[i], &now));
	}
	for (size_t i = 0; i < status->sync_count; i++) {
		json_array_append_new(syncs, sync_json(&status->syncs[i], &now));
	}
	for (size_t i = 0; i < status->migration_count; i++) {
		json_array_append_new(migrations,
				migration_json(status, &status->migrations[i], &now));
	}
	json_object_set_new(root, "units", units);
	json_object_set_new(root, "databases", databases);
	json_object_set_new(root, "syncs", syncs);
	json_object_set_new(root, "migrations", migrations);
	json_object_set_new(root, "receivers",
			bm_receiver_reports_json(status->receivers, status->receiver_count));
	char *out = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return out;
}

char *bm_status_json(const struct bm_status *status)
{
	return bm_status_json_at(status, bm_clock_wall_msec());
}
