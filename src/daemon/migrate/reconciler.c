/*
 * `worker reconcile` beside a migration that replicates: started once its indexes are built
 * and the sync is released, ended by a pause, when machine.yaml does not name the
 * migration any more, and with the machine; started again when it ends by itself.
 */
#include <jansson.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "daemon/migrate/definition.h"
#include "daemon/migrate/engine.h"

/* A life this long makes the next pause short again. */
#define STABLE_MSEC 60000

static bool is_wanted(const struct migration *migration)
{
	const struct bm_migrate *migrate = migration->migrate;
	const struct record *records = migration->records;

	return migrate->allowed && migrate->journal_known && !migrate->stopped &&
			migration->configured && !migration->paused &&
			!migration->leaving.asked && migration->definition != NULL &&
			records[BM_PHASE_INDEX].state == BM_RECORD_DONE &&
			records[BM_PHASE_REPLICATE].state != BM_RECORD_PENDING;
}

static void replace(char **text, const char *by)
{
	char *copy = by != NULL ? bm_strdup(by) : NULL;

	free(*text);
	*text = copy;
}

void bm_reconciler_cancel(struct migration *migration)
{
	struct reconciler *reconciler = &migration->reconciler;

	bm_phase_host_close(reconciler->worker);
	reconciler->worker = NULL;
	reconciler->attempt = 0;
	reconciler->retry_at_msec = 0;
	replace(&reconciler->why, NULL);
}

void bm_reconciler_finish(struct migration *migration)
{
	bm_reconciler_cancel(migration);
	replace(&migration->reconciler.evidence, NULL);
	replace(&migration->reconciler.trouble, NULL);
	replace(&migration->reconciler.hint, NULL);
}

/* `message` says why the worker does not work. */
static void note_failure(struct migration *migration, const char *message)
{
	struct reconciler *reconciler = &migration->reconciler;
	uint64_t now = bm_clock_msec();

	if (reconciler->why == NULL) {
		bm_migrate_event(migration, BM_LOG_WARN,
				"its sequences and tables are not reconciled, trying again: %s",
				message);
	}
	replace(&reconciler->why, message);
	if (now - reconciler->started_msec >= STABLE_MSEC) {
		reconciler->attempt = 0;
	}
	reconciler->attempt++;
	reconciler->retry_at_msec = now +
			bm_failure_pause_msec(BM_FAILURE_TRANSIENT, reconciler->attempt);
}

/* Why all of it is stopped, or the first of the tables that are paused, or lost changes and
 * are sent again; and what a person can do. */
static void take_trouble(struct reconciler *reconciler, const json_t *evidence)
{
	const json_t *stopped = json_object_get(evidence, "stopped");
	const char *why = json_string_value(json_object_get(stopped, "why"));
	char *trouble = why != NULL ? bm_format("it is stopped: %s", why) : NULL;
	size_t index;
	const json_t *one;

	replace(&reconciler->hint, json_string_value(json_object_get(stopped, "hint")));
	json_array_foreach(json_object_get(evidence, "drift"), index, one)
	{
		const char *table = json_string_value(json_object_get(one, "table"));
		const char *what = json_string_value(json_object_get(one, "difference"));
		bool breaks = json_is_true(json_object_get(one, "breaks"));
		bool unseen = json_is_true(json_object_get(one, "unseen"));
		if (trouble == NULL && table != NULL && what != NULL && (breaks || unseen)) {
			trouble = bm_format(breaks ? "table %s is paused: %s" : "table %s: %s",
					table, what);
			replace(&reconciler->hint,
					json_string_value(json_object_get(one, "hint")));
		}
	}
	replace(&reconciler->trouble, trouble);
	free(trouble);
}

static void on_line(void *ctx, const struct bm_phase_line *line)
{
	struct migration *migration = ctx;
	struct reconciler *reconciler = &migration->reconciler;

	if (line->event == BM_PHASE_EVENT_RECONCILED) {
		char *evidence = json_dumps(line->evidence, JSON_COMPACT);
		replace(&reconciler->evidence, evidence);
		free(evidence);
		take_trouble(reconciler, line->evidence);
		reconciler->reported_msec = bm_clock_msec();
		replace(&reconciler->why, NULL);
	} else if (line->event == BM_PHASE_EVENT_NOTE) {
		bm_migrate_event(migration, BM_LOG_INFO, "%s", line->text);
	} else if (line->event == BM_PHASE_EVENT_FAILED) {
		note_failure(migration, line->message);
	}
	bm_migrate_tick_soon(migration->migrate);
}

static void on_end(void *ctx, const char *how)
{
	struct migration *migration = ctx;
	struct reconciler *reconciler = &migration->reconciler;

	if (how != NULL) {
		note_failure(migration, how);
	}
	bm_phase_host_close(reconciler->worker);
	reconciler->worker = NULL;
	bm_migrate_tick_soon(migration->migrate);
}

static void start(struct migration *migration)
{
	const struct bm_migrate *migrate = migration->migrate;
	struct reconciler *reconciler = &migration->reconciler;
	const struct bm_phase_options options = {.program = migrate->program,
			.worker = bm_phase_row(BM_PHASE_REPLICATE)->beside,
			.pgpass = migrate->pgpass,
			.subject = migration->name};
	struct bm_error err = BM_ERROR_INIT;
	char *request = bm_definition_request(migration->definition, BM_PHASE_REPLICATE,
			migrate->socket_dir, BM_REQUEST_WORK, NULL);

	reconciler->started_msec = bm_clock_msec();
	reconciler->worker = bm_phase_host_start(
			migrate->loop, &options, request, on_line, on_end, migration, &err);
	if (reconciler->worker == NULL) {
		note_failure(migration, err.message);
	}
	free(request);
}

void bm_reconciler_update(struct migration *migration)
{
	struct reconciler *reconciler = &migration->reconciler;

	if (!is_wanted(migration)) {
		bm_reconciler_cancel(migration);
	} else if (reconciler->worker == NULL && reconciler->retry_at_msec <= bm_clock_msec()) {
		start(migration);
	}
}
