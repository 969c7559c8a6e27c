/* One phase at work: begun in the journal, its worker started, its lines and its end. */
#include "daemon/migrate/engine.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "daemon/migrate/definition.h"

/* A worker that lived this long had its way: the pauses between tries are short again. */
#define STABLE_MSEC 60000

/* Workers that end without a result, in a row, until that counts as our own fault. */
#define MOST_SILENT_ENDS 8

/* The rate is measured over at least this long. */
#define RATE_MSEC 2000

/* So many measurements in a row without anything done: there is no rate. */
#define STILL_TURNS 3

static void replace(char **text, const char *by)
{
	char *copy = by != NULL && by[0] != '\0' ? bm_strdup(by) : NULL;

	free(*text);
	*text = copy;
}

static void touch(struct record *record)
{
	record->revision.generation++;
}

/* ---- progress ---- */

static void take_rate(struct progress *progress, int64_t done)
{
	uint64_t now = bm_clock_msec();

	if (!progress->known) {
		progress->checkpoint_msec = now;
		progress->checkpoint_done = done;
		progress->rate = -1;
		return;
	}
	if (now - progress->checkpoint_msec < RATE_MSEC) {
		return;
	}
	double rate = (double)(done - progress->checkpoint_done) * 1000.0 /
			(double)(now - progress->checkpoint_msec);
	progress->still = rate > 0 ? 0 : progress->still + 1;
	progress->rate = progress->rate < 0 ? rate : progress->rate * 0.7 + rate * 0.3;
	if (progress->still >= STILL_TURNS) {
		progress->rate = -1; /* what it was says nothing any more */
	}
	progress->checkpoint_msec = now;
	progress->checkpoint_done = done;
}

/* What was done never shrinks, and is never more than there is. */
static void take_progress(struct migration *migration, const struct bm_phase_line *line)
{
	struct progress *progress = &migration->progress;
	const struct record *record = bm_record_of(migration, migration->worker_phase);
	int64_t done = line->done;

	if (progress->known && strcmp(progress->unit, line->unit) != 0) {
		bm_run_forget_progress(migration);
	}
	/* An earlier try was further with the same: it had things under way that got lost. */
	if (line->total == record->total && done < record->done) {
		done = record->done;
	}
	if (progress->known && done < progress->done) {
		done = progress->done;
	}
	take_rate(progress, done);
	progress->known = true;
	progress->reported_msec = bm_clock_msec();
	progress->done = done;
	progress->total = line->total > 0 && line->total < done ? done : line->total;
	bm_text_copy(progress->unit, sizeof(progress->unit), line->unit);
	bm_text_copy(progress->text, sizeof(progress->text), line->text);
	progress->rows = line->rows;
	progress->pieces_done = line->pieces_done;
	progress->pieces_total = line->pieces_total;
	progress->left_msec = line->left_msec;
	json_decref(progress->in_flight);
	progress->in_flight = json_incref((json_t *)(uintptr_t)line->in_flight);
}

void bm_run_forget_progress(struct migration *migration)
{
	json_decref(migration->progress.in_flight);
	migration->progress = (struct progress){.rate = -1,
			.rows = -1,
			.pieces_done = -1,
			.pieces_total = -1,
			.left_msec = -1};
}

void bm_run_checkpoint(struct migration *migration)
{
	struct progress *progress = &migration->progress;

	if (!progress->known || migration->worker_phase == BM_PHASE_COUNT) {
		return;
	}
	struct record *record = bm_record_of(migration, migration->worker_phase);
	bool written = record->revision.written == record->revision.generation;
	if (written) {
		progress->shown = record->done;
		progress->shown_total = record->total;
	}
	if (written && (progress->done != record->done || progress->total != record->total)) {
		record->done = progress->done;
		record->total = progress->total;
		touch(record);
	}
}

/* ---- lines ---- */

static void take_finding(struct migration *migration, const struct bm_phase_line *line)
{
	struct record *record = bm_record_of(migration, migration->worker_phase);

	if (record->findings == NULL) {
		record->findings = json_array();
	}
	json_array_append_new(record->findings,
			json_pack("{s:s, s:o, s:o, s:o}", "severity",
					bm_severity_name(line->severity), "object",
					bm_json_text(line->object), "why",
					bm_json_text(line->why), "hint",
					bm_json_text(line->hint)));
}

static void take_done(struct migration *migration, const struct bm_phase_line *line)
{
	enum bm_phase phase = migration->worker_phase;
	struct record *record = bm_record_of(migration, phase);
	char *evidence = json_dumps(line->evidence, JSON_COMPACT);
	char span[BM_CLOCK_TEXT_SIZE];

	migration->has_result = true;
	record->state = BM_RECORD_DONE;
	record->ended_at = bm_clock_wall_msec();
	record->attempt = 0;
	record->retry_at_msec = 0;
	record->done = record->total;
	replace(&record->error, NULL);
	replace(&record->hint, NULL);
	replace(&record->evidence, evidence);
	touch(record);
	bm_migrate_event(migration, BM_LOG_INFO, "%s is done after %s: %s",
			bm_phase_name(phase),
			bm_clock_format_span(
					bm_clock_msec() - migration->worker_since_msec, span),
			evidence);
	free(evidence);
}

/* `attempt` is counted from the last try that had its way for a while. */
static void fail(struct migration *migration, enum bm_phase phase, enum bm_failure failure,
		const char *message, const char *hint)
{
	struct record *record = bm_record_of(migration, phase);
	bool is_news = record->error == NULL || strcmp(record->error, message) != 0;
	uint64_t now = bm_clock_msec();

	if (bm_phase_is_change(phase)) {
		failure = BM_FAILURE_TRANSIENT; /* it is to be finished, whatever was wrong */
	}

	if (now - migration->worker_since_msec >= STABLE_MSEC) {
		record->attempt = 0;
	}
	record->attempt++;
	record->state = BM_RECORD_FAILED;
	record->failure = failure;
	record->ended_at = bm_clock_wall_msec();
	uint64_t pause = bm_failure_pause_msec(failure, record->attempt);
	record->retry_at_msec = pause == UINT64_MAX ? UINT64_MAX : now + pause;
	replace(&record->error, message);
	replace(&record->hint, hint);
	if (bm_phase_row(phase)->anew) {
		bm_run_forget_progress(migration);
		record->done = record->total = 0;
	}
	touch(record);
	if (is_news) {
		bm_migrate_event(migration,
				failure == BM_FAILURE_TRANSIENT ? BM_LOG_WARN : BM_LOG_ERROR,
				"%s failed (%s): %s%s%s", bm_phase_name(phase),
				bm_failure_name(failure), message,
				record->hint != NULL ? "; " : "",
				record->hint != NULL ? record->hint : "");
	}
}

static void take_result(struct migration *migration, const struct bm_phase_line *line)
{
	bool done = line->event == BM_PHASE_EVENT_DONE;

	migration->has_result = true;
	if (bm_phase_is_change(migration->worker_phase) && bm_changing_is_over(line)) {
		bm_changing_end(migration, line);
	} else if (done) {
		take_done(migration, line);
	} else {
		fail(migration, migration->worker_phase, line->failure, line->message,
				line->hint);
	}
}

static void on_line(void *ctx, const struct bm_phase_line *line)
{
	struct migration *migration = ctx;

	switch (line->event) {
	case BM_PHASE_EVENT_PROGRESS:
		take_progress(migration, line);
		break;
	case BM_PHASE_EVENT_FINDING:
		take_finding(migration, line);
		break;
	case BM_PHASE_EVENT_NOTE:
		bm_migrate_event(migration, BM_LOG_INFO, "%s", line->text);
		break;
	case BM_PHASE_EVENT_DONE:
	case BM_PHASE_EVENT_FAILED:
		take_result(migration, line);
		break;
	case BM_PHASE_EVENT_RECONCILED:
	case BM_PHASE_EVENT_ALIVE:
	case BM_PHASE_EVENT_PLAN: /* nobody asked */
	case BM_PHASE_EVENT_COUNT:
		break;
	}
	bm_migrate_tick_soon(migration->migrate);
}

static void forget_worker(struct migration *migration)
{
	bm_phase_host_close(migration->worker);
	migration->worker = NULL;
	migration->worker_phase = BM_PHASE_COUNT;
}

static void on_end(void *ctx, const char *how)
{
	struct migration *migration = ctx;
	enum bm_phase phase = migration->worker_phase;
	struct record *record = bm_record_of(migration, phase);

	if (how != NULL && !migration->has_result) {
		bool ours = record->attempt + 1 >= MOST_SILENT_ENDS;
		fail(migration, phase, ours ? BM_FAILURE_INTERNAL : BM_FAILURE_TRANSIENT, how,
				ours ? "the log has what the worker said" : "");
	}
	forget_worker(migration);
	bm_migrate_tick_soon(migration->migrate);
}

/* ---- begin, spawn, cancel ---- */

void bm_run_begin(struct migration *migration, enum bm_phase phase)
{
	struct record *record = bm_record_of(migration, phase);

	if (record->state == BM_RECORD_PENDING) {
		record->started_at = bm_clock_wall_msec();
		bm_migrate_event(migration, BM_LOG_INFO, "%s begins", bm_phase_name(phase));
	}
	record->state = BM_RECORD_BEGUN;
	record->ended_at = 0;
	touch(record);
}

static char *request_of(struct migration *migration, enum bm_phase phase)
{
	if (phase == BM_PHASE_TEARDOWN) {
		return bm_leaving_request(migration);
	}
	return bm_phase_is_change(phase) ? bm_changing_request(migration)
					 : bm_definition_request(migration->definition, phase,
							   migration->migrate->socket_dir,
							   BM_REQUEST_WORK, NULL);
}

void bm_run_spawn(struct migration *migration, enum bm_phase phase)
{
	struct bm_migrate *migrate = migration->migrate;
	struct record *record = bm_record_of(migration, phase);
	const struct bm_phase_options options = {.program = migrate->program,
			.worker = bm_phase_row(phase)->worker,
			.pgpass = migrate->pgpass,
			.subject = migration->name};
	struct bm_error err = BM_ERROR_INIT;
	char *request = request_of(migration, phase);

	json_decref(record->findings);
	record->findings = NULL;
	bm_run_forget_progress(migration);
	migration->has_result = false;
	migration->worker_since_msec = bm_clock_msec();
	migration->worker = bm_phase_host_start(
			migrate->loop, &options, request, on_line, on_end, migration, &err);
	if (migration->worker != NULL) {
		migration->worker_phase = phase;
	} else {
		fail(migration, phase, BM_FAILURE_TRANSIENT, err.message, "");
	}
	free(request);
}

/* What it did stays; the phase is found begun and goes on from there. */
void bm_run_cancel(struct migration *migration)
{
	forget_worker(migration);
}

void bm_run_retry_now(struct migration *migration)
{
	for (size_t i = 0; i < RECORD_COUNT; i++) {
		struct record *record = &migration->records[i];
		/* One that is over is not begun again. */
		bool over = bm_phase_is_change(bm_record_phase(i)) &&
				!migration->changing.asked;
		if (record->state == BM_RECORD_FAILED && !over) {
			record->state = BM_RECORD_BEGUN;
			record->attempt = 0;
			record->retry_at_msec = 0;
			touch(record);
		}
	}
}
