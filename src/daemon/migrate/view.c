/* What is shown of a migration. */
#include "daemon/migrate/engine.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "daemon/migrate/definition.h"
#include "daemon/migrate/journal.h"

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text != NULL ? text : "";
}

/* Of an older machine's journal too. */
static const char *hint_of(const json_t *finding)
{
	return text_of(finding, json_object_get(finding, "hint") != NULL ? "hint" : "mend");
}

static enum bm_severity severity_of(const json_t *finding)
{
	for (enum bm_severity s = 0; s < BM_SEVERITY_COUNT; s++) {
		if (strcmp(bm_severity_name(s), text_of(finding, "severity")) == 0) {
			return s;
		}
	}
	return BM_SEVERITY_NOTE;
}

/* What preflight found, and what a later phase could not transfer as it is. */
static void fill_findings(struct migration *migration, struct bm_migration_view *view)
{
	size_t count = 0;

	for (enum bm_phase phase = 0; phase < BM_PHASE_COUNT; phase++) {
		const json_t *findings = migration->records[phase].findings;
		size_t more = json_array_size(findings);
		migration->finding_views = bm_realloc(migration->finding_views,
				count + more + 1, sizeof(*migration->finding_views));
		for (size_t i = 0; i < more; i++) {
			const json_t *finding = json_array_get(findings, i);
			migration->finding_views[count++] = (struct bm_finding){
					severity_of(finding), text_of(finding, "object"),
					text_of(finding, "why"), hint_of(finding)};
		}
	}
	view->findings = migration->finding_views;
	view->finding_count = count;
}

static void fill_phases(struct migration *migration, struct bm_migration_view *view)
{
	for (enum bm_phase phase = 0; phase < BM_PHASE_COUNT; phase++) {
		const struct record *record = &migration->records[phase];
		migration->phase_views[phase] = (struct bm_phase_view){record->state,
				record->started_at, record->ended_at,
				record->evidence != NULL ? record->evidence : ""};
	}
	view->phases = migration->phase_views;
}

/* No worker tells: what the journal has of an earlier one. */
static void fill_old_progress(const struct record *record, struct bm_migration_view *view)
{
	view->done = record->done;
	view->total = record->total;
}

/* A worker that says nothing for so long waits for something: for how long nobody knows. */
#define QUIET_MSEC 3000

/* None where a rate says nothing, or is not known. */
static void fill_time(const struct progress *progress, struct bm_migration_view *view)
{
	const struct bm_phase_row *row = bm_phase_row(view->phase);
	int64_t left = progress->total - progress->done;

	if (bm_clock_msec() - progress->reported_msec > QUIET_MSEC) {
		return;
	}
	if (row->flows && progress->rate >= 0) {
		view->rate = (int64_t)progress->rate;
	}
	if (row->reports_left) {
		view->eta_msec = progress->left_msec;
	} else if (row->flows && progress->rate >= 1 && progress->total > 0) {
		view->eta_msec = (int64_t)((double)left * 1000.0 / progress->rate);
	}
}

static void fill_progress(const struct migration *migration, const struct record *record,
		struct bm_migration_view *view)
{
	const struct progress *progress = &migration->progress;
	view->unit = bm_phase_row(view->phase)->unit;
	view->text = "";
	view->rate = view->eta_msec = -1;
	view->rows = view->pieces_done = view->pieces_total = -1;
	if (!progress->known || migration->worker_phase != view->phase) {
		fill_old_progress(record, view);
		return;
	}
	bool journal = migration->migrate->allowed && progress->shown_total > 0;
	view->done = journal ? progress->shown : progress->done;
	view->total = journal ? progress->shown_total : progress->total;
	view->rows = progress->rows;
	view->pieces_done = progress->pieces_done;
	view->pieces_total = progress->pieces_total;
	view->in_flight = progress->in_flight;
	view->unit = progress->unit[0] != '\0' ? progress->unit : view->unit;
	view->text = progress->text;
	fill_time(progress, view);
}

static const char *go_on_by(struct migration *migration, const char *command)
{
	snprintf(migration->shown_hint, sizeof(migration->shown_hint),
			"`bucardo-machine %s %s` lets it go on", command, migration->name);
	return migration->shown_hint;
}

/* The reason, most particular first. */
static void fill_reason(struct migration *migration, const struct record *record,
		struct bm_migration_view *view)
{
	const char *why = migration->next.why;

	view->why = why != NULL ? why : "";
	view->hint = "";
	if (migration->paused) {
		char at[BM_CLOCK_TEXT_SIZE];
		bool refused = migration->refusal != NULL;
		bm_clock_format(migration->paused_at, at);
		snprintf(migration->paused_why, sizeof(migration->paused_why),
				"paused by %s on %.10s at %.8s UTC%s%s", migration->paused_by,
				at, at + sizeof("2026-11-23T") - 1,
				refused ? "; its changed definition is refused: " : "",
				refused ? migration->refusal : "");
		view->why = migration->paused_why;
		view->hint = go_on_by(migration, "resume");
	} else if (migration->refusal != NULL) {
		view->why = migration->refusal;
		view->hint = BM_REFUSAL_HINT;
	} else if (why != NULL && !migration->configured && !migration->leaving.asked) {
		view->hint = "name it there again; or pause it; or `bucardo-machine teardown` "
			     "takes it out of both databases";
	} else if (why != NULL && migration->next.status == BM_MIGRATION_DONE) {
		view->hint = go_on_by(migration, "migrate");
	} else if (why == NULL && record->error != NULL) {
		view->why = record->error;
		view->hint = record->hint != NULL ? record->hint : "";
	}
	if (view->unread && migration->migrate->journal_error[0] != '\0') {
		view->why = migration->migrate->journal_error;
	}
}

static const char *or_empty(const char *text)
{
	return text != NULL ? text : "";
}

static struct bm_beside_view beside_view(const struct beside *beside)
{
	return (struct bm_beside_view){
			.pid = beside->worker != NULL ? bm_phase_host_pid(beside->worker) : 0,
			.why = or_empty(beside->why),
			.evidence = or_empty(beside->evidence),
			.trouble = or_empty(beside->trouble),
			.is_stopped = beside->is_stopped,
			.hint = or_empty(beside->hint),
			.reported_msec = beside->reported_msec};
}

size_t bm_migrate_count(const struct bm_migrate *migrate)
{
	return migrate->count;
}

struct bm_migration_view bm_migrate_view(struct bm_migrate *migrate, size_t index)
{
	struct migration *migration = migrate->migrations[index];
	enum bm_phase phase = migration->next.phase != BM_PHASE_COUNT ? migration->next.phase
								      : BM_PHASE_COUNT - 1;
	const struct record *record = bm_record_of(migration, phase);
	struct bm_migration_view view = {
			.name = migration->name,
			.unread = !migrate->journal_known,
			.refusal = migration->refusal,
			.phase = phase,
			.until = bm_migrate_until(migration),
			.status = migration->next.status,
			.since_msec = migration->since_msec,
			.attempt = record->attempt,
			.failure = record->failure,
			.pid = migration->worker != NULL ? bm_phase_host_pid(migration->worker)
							 : 0,
			.paused = migration->paused,
			.released = !migration->paused && !migration->leaving.asked &&
					!migration->changing.asked &&
					migration->records[BM_PHASE_REPLICATE].state !=
							BM_RECORD_PENDING,
			.recorded = bm_journal_has_request(migration),
			.resuming = migration->resuming,
			.reconcile = beside_view(&migration->besides[BESIDE_RECONCILE]),
			.verify = beside_view(&migration->besides[BESIDE_VERIFY]),
			.doctor = beside_view(&migration->besides[BESIDE_DOCTOR]),
			.leaving = bm_leaving_view_of(migration),
			.changing = bm_changing_view_of(migration),
	};

	if (record->state == BM_RECORD_FAILED && record->retry_at_msec != UINT64_MAX) {
		view.retry_at_msec = record->retry_at_msec;
	}
	fill_reason(migration, record, &view);
	fill_progress(migration, record, &view);
	if (phase == BM_PHASE_TEARDOWN && view.status == BM_MIGRATION_DONE) {
		view.hint = view.leaving.hint;
	}
	fill_findings(migration, &view);
	fill_phases(migration, &view);
	return view;
}
