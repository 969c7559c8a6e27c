/*
 * The workers beside a migration: the doctor (worker/doctor) looks from its capture on, and is
 * started anew for each look, also while it is paused. The others belong to one that
 * replicates. `worker reconcile` is started once its indexes are built and the sync is
 * released, `worker verify` once it replicates; both are ended by a pause, a teardown, when
 * machine.yaml does not name the migration any more, and with the machine; and started again
 * when they end by themselves.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "daemon/migrate/definition.h"
#include "daemon/migrate/engine.h"

/* A life this long makes the next pause short again. */
#define STABLE_MSEC 60000

/* Between two looks for what is wrong. */
#define LOOK_MSEC 30000

static void replace(char **text, const char *by)
{
	char *copy = by != NULL ? bm_strdup(by) : NULL;

	free(*text);
	*text = copy;
}

/* ---- the kinds ---- */

static bool may_reconcile(const struct migration *migration)
{
	return migration->records[BM_PHASE_REPLICATE].state != BM_RECORD_PENDING;
}

/* Nothing is compared while a person has to decide which side is right; while the sides change
 * places their worker does that. */
static bool may_verify(const struct migration *migration)
{
	return migration->records[BM_PHASE_REPLICATE].state == BM_RECORD_DONE &&
			migration->verify.continuous && !migration->changing.asked &&
			!migration->besides[BESIDE_RECONCILE].is_stopped;
}

/* Why all of it is stopped, or the first of the tables that are paused, or lost changes and
 * are sent again; and what a person can do. */
static void take_paused(struct beside *beside, const json_t *evidence)
{
	const json_t *stopped = json_object_get(evidence, "stopped");
	const char *why = json_string_value(json_object_get(stopped, "why"));
	char *trouble = why != NULL ? bm_format("it is stopped: %s", why) : NULL;
	size_t index;
	const json_t *one;

	beside->is_stopped = why != NULL;
	replace(&beside->hint, json_string_value(json_object_get(stopped, "hint")));
	json_array_foreach(json_object_get(evidence, "drift"), index, one)
	{
		const char *table = json_string_value(json_object_get(one, "table"));
		const char *what = json_string_value(json_object_get(one, "difference"));
		bool breaks = json_is_true(json_object_get(one, "breaks"));
		bool unseen = json_is_true(json_object_get(one, "unseen"));
		if (trouble == NULL && table != NULL && what != NULL && (breaks || unseen)) {
			trouble = bm_format(breaks ? "table %s is paused: %s" : "table %s: %s",
					table, what);
			replace(&beside->hint, json_string_value(json_object_get(one, "hint")));
		}
	}
	const char *stuck = json_string_value(json_object_get(evidence, "stuck"));
	if (trouble == NULL && stuck != NULL) {
		trouble = bm_strdup(stuck);
	}
	replace(&beside->trouble, trouble);
	free(trouble);
}

static void take_differences(struct beside *beside, const json_t *evidence)
{
	replace(&beside->trouble, json_string_value(json_object_get(evidence, "trouble")));
	replace(&beside->hint, json_string_value(json_object_get(evidence, "hint")));
}

/* While the sides change places nobody else asks there. */
static bool may_look(const struct migration *migration)
{
	return migration->records[BM_PHASE_CAPTURE].state == BM_RECORD_DONE &&
			!migration->changing.asked;
}

/* Findings are no trouble of the machine's: they have a place of their own in the status. */
static void take_findings(struct beside *beside, const json_t *evidence)
{
	(void)evidence;
	beside->retry_at_msec = bm_clock_msec() + LOOK_MSEC;
}

static const struct {
	enum bm_phase phase; /* whose row names its worker; whom the request is for */
	bool (*may_run)(const struct migration *migration);
	void (*take)(struct beside *beside, const json_t *evidence);
	const char *failure; /* "...: why" */
	bool looks_once;     /* a worker of one look each; also of a migration that is paused */
} kinds[] = {
		[BESIDE_RECONCILE] = {BM_PHASE_REPLICATE, may_reconcile, take_paused,
				"its sequences and tables are not reconciled, trying again",
				false},
		[BESIDE_VERIFY] = {BM_PHASE_VERIFY, may_verify, take_differences,
				"its rows are not compared in the background, trying again",
				false},
		[BESIDE_DOCTOR] = {BM_PHASE_COUNT, may_look, take_findings,
				"nobody could look for what is wrong, trying again", true},
};
static_assert(BM_COUNT_OF(kinds) == BESIDE_COUNT, "a worker has no row");

static bool is_wanted(const struct migration *migration, enum beside_kind kind)
{
	const struct bm_migrate *migrate = migration->migrate;

	return migrate->allowed && migrate->journal_known && !migrate->stopped &&
			migration->configured && !migration->leaving.asked &&
			migration->definition != NULL && kinds[kind].may_run(migration) &&
			(kinds[kind].looks_once ||
					(!migration->paused &&
							migration->records[BM_PHASE_INDEX]
											.state ==
									BM_RECORD_DONE));
}

/* ---- ending them ---- */

static void cancel(struct beside *beside)
{
	bm_phase_host_close(beside->worker);
	beside->worker = NULL;
	beside->attempt = 0;
	beside->retry_at_msec = 0;
	replace(&beside->why, NULL);
}

/* Nothing that it has found counts any more. */
static void finish(struct beside *beside)
{
	cancel(beside);
	replace(&beside->evidence, NULL);
	replace(&beside->trouble, NULL);
	replace(&beside->hint, NULL);
	beside->is_stopped = false;
}

void bm_beside_cancel(struct migration *migration)
{
	for (enum beside_kind kind = 0; kind < BESIDE_COUNT; kind++) {
		cancel(&migration->besides[kind]);
	}
}

void bm_beside_finish(struct migration *migration)
{
	for (enum beside_kind kind = 0; kind < BESIDE_COUNT; kind++) {
		finish(&migration->besides[kind]);
	}
}

void bm_beside_configure(struct migration *migration, const struct bm_config_verify *verify)
{
	const struct bm_config_verify *now = &migration->verify;
	bool same = now->continuous == verify->continuous &&
			now->max_load == verify->max_load &&
			now->interval_msec == verify->interval_msec &&
			now->full_every_msec == verify->full_every_msec;

	migration->verify = *verify;
	if (!verify->continuous) {
		finish(&migration->besides[BESIDE_VERIFY]);
	} else if (!same) {
		cancel(&migration->besides[BESIDE_VERIFY]);
	}
}

/* ---- while they run ---- */

/* `message` says why the worker does not work. */
static void record_failure(struct beside *beside, const char *message)
{
	uint64_t now = bm_clock_msec();

	if (beside->why == NULL) {
		bm_migrate_event(beside->migration, BM_LOG_WARN, "%s: %s",
				kinds[beside->kind].failure, message);
	}
	replace(&beside->why, message);
	if (now - beside->started_msec >= STABLE_MSEC) {
		beside->attempt = 0;
	}
	beside->attempt++;
	beside->retry_at_msec = now +
			bm_failure_pause_msec(BM_FAILURE_TRANSIENT, beside->attempt);
}

static void on_line(void *ctx, const struct bm_phase_line *line)
{
	struct beside *beside = ctx;

	if (line->event == BM_PHASE_EVENT_RECONCILED || line->event == BM_PHASE_EVENT_DONE) {
		char *evidence = json_dumps(line->evidence, JSON_COMPACT);
		replace(&beside->evidence, evidence);
		free(evidence);
		kinds[beside->kind].take(beside, line->evidence);
		beside->reported_msec = bm_clock_msec();
		replace(&beside->why, NULL);
	} else if (line->event == BM_PHASE_EVENT_NOTE) {
		bm_migrate_event(beside->migration, BM_LOG_INFO, "%s", line->text);
	} else if (line->event == BM_PHASE_EVENT_FINDING) {
		bm_migrate_event(beside->migration, BM_LOG_WARN, "%s: %s; %s", line->object,
				line->why, line->hint);
	} else if (line->event == BM_PHASE_EVENT_FAILED) {
		record_failure(beside, line->message);
	}
	bm_migrate_tick_soon(beside->migration->migrate);
}

static void on_end(void *ctx, const char *how)
{
	struct beside *beside = ctx;

	if (how != NULL) {
		record_failure(beside, how);
	}
	bm_phase_host_close(beside->worker);
	beside->worker = NULL;
	bm_migrate_tick_soon(beside->migration->migrate);
}

static char *request_of(const struct migration *migration, enum beside_kind kind)
{
	const char *socket_dir = migration->migrate->socket_dir;

	switch (kind) {
	case BESIDE_DOCTOR:
		return bm_doctor_request(migration);
	case BESIDE_VERIFY:
		return bm_definition_verify_request(
				migration->definition, socket_dir, &migration->verify);
	default:
		return bm_definition_request(migration->definition, kinds[kind].phase,
				socket_dir, BM_REQUEST_WORK, NULL);
	}
}

static void start(struct migration *migration, enum beside_kind kind)
{
	const struct bm_migrate *migrate = migration->migrate;
	struct beside *beside = &migration->besides[kind];
	const struct bm_phase_options options = {.program = migrate->program,
			.worker = kinds[kind].looks_once
					? "phase"
					: bm_phase_row(kinds[kind].phase)->beside,
			.pgpass = migrate->pgpass,
			.subject = migration->name};
	struct bm_error err = BM_ERROR_INIT;
	char *request = request_of(migration, kind);

	beside->kind = kind;
	beside->migration = migration;
	beside->started_msec = bm_clock_msec();
	beside->worker = bm_phase_host_start(
			migrate->loop, &options, request, on_line, on_end, beside, &err);
	if (beside->worker == NULL) {
		record_failure(beside, err.message);
	}
	free(request);
}

void bm_beside_update(struct migration *migration)
{
	for (enum beside_kind kind = 0; kind < BESIDE_COUNT; kind++) {
		struct beside *beside = &migration->besides[kind];
		if (!is_wanted(migration, kind)) {
			cancel(beside);
		} else if (beside->worker == NULL && beside->retry_at_msec <= bm_clock_msec()) {
			start(migration, kind);
		}
	}
}

uint64_t bm_beside_wake_msec(const struct migration *migration, uint64_t now)
{
	uint64_t wake = UINT64_MAX;

	for (enum beside_kind kind = 0; kind < BESIDE_COUNT; kind++) {
		uint64_t at = migration->besides[kind].retry_at_msec;
		wake = at > now && at < wake ? at : wake;
	}
	return wake;
}
