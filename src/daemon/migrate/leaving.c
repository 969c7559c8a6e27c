/*
 * leaving - the teardown of a migration
 *
 * A person asks for it at any point; the wish is in the journal, in the migration's row, before
 * it is done, so a machine that is killed goes on with it. It comes before all else: no phase
 * begins, whatever machine.yaml says. Once it is done and machine.yaml does not name the
 * migration, its rows go out of the journal, and a migration of that name begins anew.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "daemon/migrate/definition.h"
#include "daemon/migrate/engine.h"
#include "daemon/migrate/journal.h"

struct record *bm_record_of(struct migration *migration, enum bm_phase phase)
{
	for (size_t i = BM_PHASE_COUNT; i < RECORD_COUNT; i++) {
		if (bm_record_phase(i) == phase) {
			return &migration->records[i];
		}
	}
	return &migration->records[phase];
}

enum bm_phase bm_record_phase(size_t index)
{
	static const enum bm_phase asked[] = {
			BM_PHASE_TEARDOWN, BM_PHASE_CUTOVER, BM_PHASE_FAILBACK};
	static_assert(BM_COUNT_OF(asked) == RECORD_COUNT - BM_PHASE_COUNT,
			"a record has no phase");

	return index < BM_PHASE_COUNT ? (enum bm_phase)index : asked[index - BM_PHASE_COUNT];
}

void bm_record_begin_anew(struct record *record)
{
	free(record->error);
	free(record->hint);
	free(record->evidence);
	json_decref(record->findings);
	*record = (struct record){.state = BM_RECORD_PENDING, .revision = record->revision};
	record->revision.generation++;
}

static bool is_done(struct migration *migration)
{
	return migration->leaving.asked &&
			bm_record_of(migration, BM_PHASE_TEARDOWN)->state == BM_RECORD_DONE;
}

/* ---- asked for ---- */

static bool is_side(const char *word)
{
	static const char *const words[] = {"", "source", "destination", "both"};

	for (size_t i = 0; i < BM_COUNT_OF(words); i++) {
		if (strcmp(words[i], word) == 0) {
			return true;
		}
	}
	return false;
}

/* Asked for again it looks at everything again: a side may be back, or somebody have fixed
 * what it could not do. */
static void ask(struct migration *migration, const char *without, const char *by)
{
	struct leaving *leaving = &migration->leaving;
	bool same = leaving->asked && strcmp(leaving->without, without) == 0;

	if (same && migration->worker_phase == BM_PHASE_TEARDOWN) {
		return;
	}
	bm_run_cancel(migration);
	bm_changing_drop(migration);
	bm_beside_finish(migration);
	free(migration->refusal);
	migration->refusal = NULL;
	migration->paused = migration->resuming = false;
	free(leaving->by);
	free(leaving->without);
	leaving->asked = true;
	leaving->at = bm_clock_wall_msec();
	leaving->by = bm_strdup(by);
	leaving->without = bm_strdup(without);
	bm_record_begin_anew(bm_record_of(migration, BM_PHASE_TEARDOWN));
	bm_migrate_event(migration, BM_LOG_WARN, "teardown%s%s, asked by %s",
			without[0] != '\0' ? " without " : "", without, by);
}

int bm_migrate_teardown(struct bm_migrate *migrate, const char *name, const char *without,
		const char *by, struct bm_error *err)
{
	struct migration *migration = bm_migrate_known(migrate, name, err);

	if (migration == NULL) {
		return -1;
	}
	if (!is_side(without)) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"'%.40s' is no side: source, destination or both", without);
	}
	/* In the midst of it no side may be writable. One that cannot be finished, because a
	 * side is gone for good, is given up. */
	if ((without[0] == '\0' || bm_phase_is_change(migration->worker_phase)) &&
			bm_changing_must_rest(migration, err) != 0) {
		return -1;
	}
	if (migration->leaving.forgotten || migration->definition == NULL) {
		return bm_error_set(err, BM_ERR_TRANSIENT,
				"migration '%s' is just being written down: try again", name);
	}
	ask(migration, without, by);
	migration->revision.generation++;
	bm_migrate_tick_soon(migrate);
	return 0;
}

static char *request_of(const struct migration *migration, enum bm_request_kind kind)
{
	char *text = bm_definition_request(migration->definition, BM_PHASE_TEARDOWN,
			migration->migrate->socket_dir, kind, NULL);
	json_t *request = json_loads(text, 0, NULL);

	free(text);
	json_object_set_new(request, "without",
			json_string(migration->leaving.asked && kind == BM_REQUEST_WORK
							? migration->leaving.without
							: ""));
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	return text;
}

char *bm_leaving_request(const struct migration *migration)
{
	return request_of(migration, BM_REQUEST_WORK);
}

char *bm_migrate_teardown_preview(
		struct bm_migrate *migrate, const char *name, struct bm_error *err)
{
	const struct migration *migration = bm_migrate_known(migrate, name, err);

	if (migration != NULL && bm_phase_is_change(migration->worker_phase)) {
		bm_changing_must_rest(migration, err);
		return NULL;
	}
	if (migration != NULL && migration->definition == NULL) {
		bm_error_set(err, BM_ERR_TRANSIENT,
				"migration '%s' is just being written down: try again", name);
		return NULL;
	}
	return migration != NULL ? request_of(migration, BM_REQUEST_PLAN) : NULL;
}

/* ---- in the journal ---- */

char *bm_leaving_encode(const struct migration *migration)
{
	const struct leaving *leaving = &migration->leaving;

	if (!leaving->asked) {
		return NULL;
	}
	json_t *object = json_pack("{s:I, s:o, s:s}", "at", (json_int_t)leaving->at, "by",
			bm_json_text(leaving->by), "without", leaving->without);
	char *text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

void bm_leaving_decode(struct migration *migration, const char *text)
{
	json_t *object = text != NULL ? json_loads(text, 0, NULL) : NULL;
	const char *by = json_string_value(json_object_get(object, "by"));
	const char *without = json_string_value(json_object_get(object, "without"));

	if (json_is_object(object)) {
		migration->leaving = (struct leaving){.asked = true,
				.at = json_integer_value(json_object_get(object, "at")),
				.by = bm_strdup(by != NULL ? by : ""),
				.without = bm_strdup(without != NULL ? without : "")};
	}
	json_decref(object);
}

/* ---- forgotten ---- */

void bm_leaving_check(struct migration *migration)
{
	if (!migration->migrate->journal_known || migration->configured ||
			migration->leaving.forgotten || !is_done(migration)) {
		return;
	}
	migration->leaving.forgotten = true;
	migration->revision.generation++;
	bm_migrate_event(migration, BM_LOG_INFO,
			"it is torn down, and machine.yaml does not name it any more: it is "
			"forgotten");
}

static bool is_forgotten(const struct migration *migration)
{
	return migration->leaving.forgotten && bm_journal_is_clean(migration);
}

/* No write of a clean one is on its way: it may be freed. */
void bm_leaving_reconcile(struct bm_migrate *migrate)
{
	size_t kept = 0;

	for (size_t i = 0; i < migrate->count; i++) {
		struct migration *migration = migrate->migrations[i];
		if (is_forgotten(migration) && !migration->configured) {
			bm_run_cancel(migration);
			bm_migrate_free(migration);
			continue;
		}
		migrate->migrations[kept++] = migration;
		if (is_forgotten(migration)) {
			/* It was named again meanwhile. */
			bm_migrate_clear(migration);
			bm_migrate_reconcile(migration);
		}
	}
	migrate->count = kept;
}

/* ---- shown ---- */

struct bm_leaving_view bm_leaving_view_of(struct migration *migration)
{
	struct leaving *leaving = &migration->leaving;
	const struct record *record = bm_record_of(migration, BM_PHASE_TEARDOWN);

	if (!leaving->asked) {
		return (struct bm_leaving_view){.asked = false};
	}
	snprintf(leaving->hint, sizeof(leaving->hint),
			migration->configured
					? "delete '%s' from machine.yaml; named there again "
					  "after that, it begins anew"
					: "nothing: machine.yaml does not name '%s' any "
					  "more, so the next start forgets it",
			migration->name);
	return (struct bm_leaving_view){.asked = true,
			.at = leaving->at,
			.by = leaving->by,
			.without = leaving->without,
			.state = record->state,
			.evidence = record->evidence != NULL ? record->evidence : "",
			.hint = leaving->hint};
}
