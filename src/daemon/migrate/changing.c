/*
 * changing - the sides of a migration change places: cutover, failback, and their rehearsal
 *
 * A person asks for an attempt; it is in the journal, in the migration's row, before its worker
 * is started, and out of it when the attempt is over: done, rehearsed, not ready or aborted.
 * None is tried again by itself. But one whose worker is gone without a result is finished:
 * another worker looks on the side that was left whether it was committed, goes on if so and
 * undoes it if not, and that is repeated until it has an answer, since until then no side may
 * be writable.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/syncs.h"
#include "daemon/migrate/definition.h"
#include "daemon/migrate/engine.h"

bool bm_phase_is_change(enum bm_phase phase)
{
	return phase == BM_PHASE_CUTOVER || phase == BM_PHASE_FAILBACK;
}

static void replace(char **text, const char *by)
{
	char *copy = by != NULL && by[0] != '\0' ? bm_strdup(by) : NULL;

	free(*text);
	*text = copy;
}

void bm_changing_clear(struct migration *migration)
{
	struct changing *changing = &migration->changing;

	free(changing->by);
	free(changing->accept);
	*changing = (struct changing){.phase = BM_PHASE_CUTOVER};
}

/* ---- asked for ---- */

static int refuse(const struct migration *migration, struct bm_error *err, const char *why)
{
	return bm_error_set(
			err, BM_ERR_PRECONDITION, "migration '%s' %s", migration->name, why);
}

int bm_changing_must_rest(const struct migration *migration, struct bm_error *err)
{
	const struct changing *changing = &migration->changing;

	if (!changing->asked) {
		return 0;
	}
	return bm_error_set(err, BM_ERR_PRECONDITION,
			"migration '%s': its %s number %llu, asked for by %s, is under way; it "
			"ends by itself, and `bucardo-machine status` shows how far it is",
			migration->name, bm_phase_name(changing->phase),
			(unsigned long long)changing->number,
			changing->by != NULL ? changing->by : "?");
}

static int may_begin(
		const struct migration *migration, enum bm_phase phase, struct bm_error *err)
{
	if (migration->leaving.asked) {
		return refuse(migration, err, "is being torn down, or is torn down");
	}
	if (bm_changing_must_rest(migration, err) != 0) {
		return -1;
	}
	if (migration->definition == NULL || !migration->configured) {
		return refuse(migration, err, "is not named in machine.yaml");
	}
	if (migration->refusal != NULL) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"migration '%s' has a changed definition that is refused: %s; %s",
				migration->name, migration->refusal, BM_REFUSAL_HINT);
	}
	if (migration->paused) {
		return refuse(migration, err, "is paused; `resume` ends that");
	}
	if (migration->records[BM_PHASE_REPLICATE].state != BM_RECORD_DONE) {
		return refuse(migration, err,
				"does not replicate yet; `bucardo-machine status` shows how far it "
				"is");
	}
	return phase == BM_PHASE_FAILBACK && !bm_definition_is_both(migration->definition)
			? refuse(migration, err,
					  "does not fail back: " BM_NO_WAY_BACK
					  "; " BM_NO_WAY_BACK_HINT)
			: 0;
}

static unsigned budget_of(const struct migration *migration, const struct bm_change *change)
{
	return change->budget_msec > 0 ? change->budget_msec : migration->cutover.budget_msec;
}

int bm_migrate_change(struct bm_migrate *migrate, const char *name,
		const struct bm_change *change, const char *by, uint64_t *number,
		struct bm_error *err)
{
	struct migration *migration = bm_migrate_known(migrate, name, err);

	if (migration == NULL || may_begin(migration, change->phase, err) != 0) {
		return -1;
	}
	struct changing *changing = &migration->changing;
	changing->asked = changing->is_fresh = true;
	changing->phase = change->phase;
	changing->rehearses = change->rehearses;
	changing->prepares = migration->cutover.has_way_back &&
			!bm_definition_is_both(migration->definition);
	changing->budget_msec = budget_of(migration, change);
	changing->at = bm_clock_wall_msec();
	*number = ++changing->number;
	replace(&changing->by, by);
	replace(&changing->accept, change->accept);
	bm_record_begin_anew(bm_record_of(migration, change->phase));
	bm_migrate_event(migration, BM_LOG_WARN, "%s%s number %llu, asked by %s",
			change->rehearses ? "rehearsal of " : "", bm_phase_name(change->phase),
			(unsigned long long)*number, by);
	migration->revision.generation++;
	bm_migrate_tick_soon(migrate);
	return 0;
}

/* ---- what its worker is asked ---- */

static char *request_of(const struct migration *migration, enum bm_phase phase,
		const char *mode, uint64_t number, unsigned budget_msec, const char *accept)
{
	char *text = bm_definition_request(migration->definition, phase,
			migration->migrate->socket_dir, BM_REQUEST_WORK, NULL);
	json_t *request = json_loads(text, 0, NULL);
	json_t *tables = accept != NULL ? json_loads(accept, 0, NULL) : NULL;

	free(text);
	json_object_set_new(request, "mode", json_string(mode));
	json_object_set_new(request, "number", json_integer((json_int_t)number));
	json_object_set_new(request, "budget_msec", json_integer(budget_msec));
	json_object_set_new(request, "rehearsed_at",
			json_integer((json_int_t)migration->changing.rehearsed_at));
	json_object_set_new(request, "way_back", json_boolean(migration->cutover.has_way_back));
	json_object_set_new(request, "quiesce",
			json_string(migration->cutover.is_manual ? "manual" : "lock"));
	json_object_set_new(request, "accept", tables != NULL ? tables : json_array());
	if (migration->cutover.hooks != NULL) {
		json_object_set(request, "hooks", migration->cutover.hooks);
	}
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	return text;
}

char *bm_changing_request(struct migration *migration)
{
	struct changing *changing = &migration->changing;
	const char *mode = !changing->is_fresh ? "finish"
			: changing->prepares   ? "way_back"
			: changing->rehearses  ? "rehearse"
					       : "run";

	changing->is_fresh = false;
	return request_of(migration, changing->phase, mode, changing->number,
			changing->budget_msec, changing->accept);
}

char *bm_migrate_change_check(struct bm_migrate *migrate, const char *name,
		const struct bm_change *change, struct bm_error *err)
{
	const struct migration *migration = bm_migrate_known(migrate, name, err);

	if (migration == NULL || may_begin(migration, change->phase, err) != 0) {
		return NULL;
	}
	return request_of(migration, change->phase, "check", 0, budget_of(migration, change),
			change->accept);
}

/* ---- over ---- */

static void drop_wish(struct migration *migration)
{
	migration->changing.asked = migration->changing.is_fresh = false;
	migration->revision.generation++;
	bm_migrate_reconcile(migration); /* a changed definition has waited */
}

static const char *word_of(const json_t *evidence, const char *member)
{
	const char *text = json_string_value(json_object_get(evidence, member));

	return text != NULL ? text : "";
}

static void report_attempt(
		struct migration *migration, const json_t *evidence, const char *message)
{
	const struct changing *changing = &migration->changing;
	const char *what = bm_phase_name(changing->phase);
	unsigned long long number = changing->number;
	long long freeze = json_integer_value(json_object_get(evidence, "freeze_msec"));
	long long none = json_integer_value(json_object_get(evidence, "unwritable_msec"));

	if (strcmp(word_of(evidence, "result"), "rehearsed") == 0) {
		bm_migrate_event(migration, BM_LOG_INFO,
				"%s number %llu was rehearsed: writers would have waited %lld ms; "
				"nothing was changed",
				what, number, freeze);
	} else if (message == NULL) {
		bm_migrate_event(migration, BM_LOG_WARN,
				"%s number %llu is done: the %s is live; writers waited %lld ms, no "
				"side was writable for %lld ms",
				what, number,
				changing->phase == BM_PHASE_CUTOVER ? "destination" : "source",
				freeze, none);
	} else {
		bm_migrate_event(migration, BM_LOG_ERROR, "%s number %llu was not done: %s",
				what, number, message);
	}
}

/* Only where the worker knows that one definite side is live. */
bool bm_changing_is_over(const struct bm_phase_line *line)
{
	const char *result = word_of(line->evidence, "result");

	return line->event == BM_PHASE_EVENT_DONE ||
			(line->failure == BM_FAILURE_OPERATOR &&
					(strcmp(result, "aborted") == 0 ||
							strcmp(result, "not_ready") == 0));
}

/* The attempt itself begins now, as one of direction both. */
static void take_way_back(struct migration *migration)
{
	struct changing *changing = &migration->changing;
	json_t *definition = json_copy(migration->definition);

	bm_definition_make_both(definition);
	json_decref(migration->definition);
	migration->definition = definition;
	migration->revision.generation++;
	bm_beside_cancel(migration);
	changing->prepares = false;
	changing->is_fresh = true;
	bm_record_begin_anew(bm_record_of(migration, changing->phase));
	bm_migrate_event(migration, BM_LOG_INFO,
			"the destination is captured as well, so that there is a way back: its "
			"direction is both from now on");
}

void bm_changing_end(struct migration *migration, const struct bm_phase_line *line)
{
	struct changing *changing = &migration->changing;
	struct record *record = bm_record_of(migration, changing->phase);
	const char *result = word_of(line->evidence, "result");

	if (strcmp(result, "way_back") == 0) {
		take_way_back(migration);
		return;
	}
	bool rehearsed = strcmp(result, "rehearsed") == 0;
	bool done = rehearsed || strcmp(result, "done") == 0;
	char *evidence = line->evidence != NULL ? json_dumps(line->evidence, JSON_COMPACT)
						: NULL;
	const char *message = done		   ? NULL
			: line->message[0] != '\0' ? line->message
						   : "it was undone";

	record->state = done ? BM_RECORD_DONE : BM_RECORD_FAILED;
	record->failure = BM_FAILURE_OPERATOR;
	record->ended_at = bm_clock_wall_msec();
	record->attempt = 0;
	record->retry_at_msec = UINT64_MAX;
	replace(&record->evidence, evidence);
	replace(&record->error, message);
	replace(&record->hint, done ? NULL : line->hint);
	record->revision.generation++;
	changing->rehearsed_at = rehearsed ? record->ended_at : changing->rehearsed_at;
	free(evidence);
	report_attempt(migration, line->evidence, message);
	drop_wish(migration);
}

/* Of one whose side is gone for good nothing can be finished. */
void bm_changing_drop(struct migration *migration)
{
	if (migration->changing.asked) {
		migration->changing.asked = migration->changing.is_fresh = false;
		migration->revision.generation++;
	}
}

/* ---- in the journal ---- */

char *bm_changing_encode(const struct migration *migration)
{
	const struct changing *changing = &migration->changing;

	if (changing->number == 0) {
		return NULL;
	}
	json_t *object = json_pack("{s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:o, s:s}", "phase",
			bm_phase_name(changing->phase), "asked", (int)changing->asked,
			"rehearses", (int)changing->rehearses, "number",
			(json_int_t)changing->number, "budget_msec",
			(json_int_t)changing->budget_msec, "at", (json_int_t)changing->at,
			"rehearsed_at", (json_int_t)changing->rehearsed_at, "by",
			bm_json_text(changing->by != NULL ? changing->by : ""), "accept",
			changing->accept != NULL ? changing->accept : "");
	char *text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

void bm_changing_decode(struct migration *migration, const char *text)
{
	struct changing *changing = &migration->changing;
	json_t *object = text != NULL ? json_loads(text, 0, NULL) : NULL;

	if (json_is_object(object)) {
		bm_changing_clear(migration);
		changing->asked = json_is_true(json_object_get(object, "asked"));
		changing->rehearses = json_is_true(json_object_get(object, "rehearses"));
		changing->phase = strcmp(word_of(object, "phase"), "failback") == 0
				? BM_PHASE_FAILBACK
				: BM_PHASE_CUTOVER;
		changing->number = (uint64_t)json_integer_value(
				json_object_get(object, "number"));
		changing->budget_msec = (unsigned)json_integer_value(
				json_object_get(object, "budget_msec"));
		changing->at = json_integer_value(json_object_get(object, "at"));
		changing->rehearsed_at = json_integer_value(
				json_object_get(object, "rehearsed_at"));
		replace(&changing->by, word_of(object, "by"));
		replace(&changing->accept, word_of(object, "accept"));
	}
	json_decref(object);
}

/* ---- shown ---- */

struct bm_changing_view bm_changing_view_of(struct migration *migration)
{
	const struct changing *changing = &migration->changing;
	const struct record *record = bm_record_of(migration, changing->phase);

	if (changing->number == 0) {
		return (struct bm_changing_view){.number = 0};
	}
	return (struct bm_changing_view){.number = changing->number,
			.phase = changing->phase,
			.under_way = changing->asked,
			.rehearses = changing->rehearses,
			.at = changing->at,
			.ended_at = changing->asked ? 0 : record->ended_at,
			.rehearsed_at = changing->rehearsed_at,
			.by = changing->by != NULL ? changing->by : "",
			.state = record->state,
			.evidence = record->evidence != NULL ? record->evidence : "",
			.error = record->error != NULL ? record->error : "",
			.hint = record->hint != NULL ? record->hint : ""};
}
