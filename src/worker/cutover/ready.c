/* The walk over the table of conditions. */
#include "worker/cutover/ready.h"

#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/syncs.h"
#include "base/protocol/report.h"
#include "worker/cutover/conditions.h"

/* What passes by itself is asked again for so long, this often. */
#define PATIENCE_MSEC 5000
#define AGAIN_MSEC 250

enum bm_side bm_cutover_from(const struct bm_phase *phase)
{
	return strcmp(phase->request.phase, "failback") == 0 ? BM_SIDE_DESTINATION
							     : BM_SIDE_SOURCE;
}

enum bm_side bm_cutover_to(const struct bm_phase *phase)
{
	return bm_cutover_from(phase) == BM_SIDE_SOURCE ? BM_SIDE_DESTINATION : BM_SIDE_SOURCE;
}

static enum bm_side side_of(const struct bm_phase *phase, enum bm_ready_place place)
{
	switch (place) {
	case BM_READY_FROM:
		return bm_cutover_from(phase);
	case BM_READY_TO:
		return bm_cutover_to(phase);
	case BM_READY_SOURCE:
		return BM_SIDE_SOURCE;
	case BM_READY_DESTINATION:
		return BM_SIDE_DESTINATION;
	case BM_READY_CONTROL:
		break;
	}
	return BM_SIDE_CONTROL;
}

struct walk {
	struct bm_phase *phase;
	char problems[BM_SIDE_COUNT][512]; /* why a side cannot be asked; "" it can */
	char *names;			   /* of the tables, as JSON */
	uint64_t begun_msec;
};

/* ---- one condition ---- */

static void set(json_t *condition, const char *state, const char *value, const char *why,
		const char *hint)
{
	json_object_set_new(condition, "state", json_string(state));
	json_object_set_new(condition, "value", bm_json_text(value));
	json_object_set_new(condition, "why", bm_json_text(why));
	json_object_set_new(condition, "hint", bm_json_text(hint));
}

static void set_unknown(json_t *condition, const char *why)
{
	set(condition, "unknown", "unknown", why,
			"what could not be asked is not ready: see to it, and ask again");
}

bool bm_cutover_is_accepted(const struct bm_phase *phase, const char *object)
{
	const char *const *accept = phase->request.cutover.accept;

	for (; accept != NULL && *accept != NULL; accept++) {
		if (strcmp(*accept, object) == 0) {
			return true;
		}
	}
	return false;
}

/* Rows of object, why, hint: each stands in the way, unless a person accepted it by name. */
static void take_found(const struct walk *walk, const struct bm_ready_row *row,
		const PGresult *rows, json_t *condition)
{
	struct bm_strbuf why = BM_STRBUF_INIT;
	char value[64] = "none";
	int found = 0, accepted = 0;
	const char *hint = "";

	for (int i = 0; i < PQntuples(rows); i++) {
		const char *object = PQgetvalue(rows, i, 0);
		if (row->acceptable && bm_cutover_is_accepted(walk->phase, object)) {
			accepted++;
			continue;
		}
		hint = found == 0 ? PQgetvalue(rows, i, 2) : hint;
		if (found++ < BM_READY_MOST_NAMED) {
			bm_strbuf_printf(&why, "%s%s: %s", why.length > 0 ? "; " : "", object,
					PQgetvalue(rows, i, 1));
		}
	}
	if (found > BM_READY_MOST_NAMED) {
		bm_strbuf_printf(&why, "; and %d more", found - BM_READY_MOST_NAMED);
	}
	if (found + accepted > 0) {
		snprintf(value, sizeof(value), accepted > 0 ? "%d, %d accepted" : "%d", found,
				accepted);
	}
	set(condition,
			found > 0		       ? "not_ready"
					: accepted > 0 ? "accepted"
						       : "ready",
			value, bm_strbuf_text(&why), hint);
	bm_strbuf_finish(&why);
}

/* One row of state, value, why, hint; no row is no answer. */
static void take_asked(const struct walk *walk, const struct bm_ready_row *row,
		const PGresult *rows, json_t *condition)
{
	if (PQntuples(rows) == 0) {
		set_unknown(condition, "there was no answer");
		return;
	}
	const char *state = PQgetvalue(rows, 0, 0);
	bool accepted = row->acceptable && strcmp(state, "not_ready") == 0 &&
			bm_cutover_is_accepted(walk->phase, row->name);
	set(condition, accepted ? "accepted" : state, PQgetvalue(rows, 0, 1),
			PQgetvalue(rows, 0, 2), accepted ? "" : PQgetvalue(rows, 0, 3));
}

static PGresult *ask(
		const struct walk *walk, const struct bm_ready_row *row, struct bm_error *err)
{
	struct bm_phase *phase = walk->phase;
	enum bm_side side = side_of(phase, row->place);
	const char *param = row->takes_phase ? phase->request.phase : NULL;
	PGresult *feed = NULL;

	if (walk->problems[side][0] != '\0') {
		bm_error_set(err, BM_ERR_TRANSIENT, "%s", walk->problems[side]);
		return NULL;
	}
	if (row->feed != NULL) {
		feed = bm_phase_ask(phase, bm_cutover_from(phase), row->feed, 0, NULL, err);
		if (feed == NULL) {
			return NULL;
		}
		param = PQgetvalue(feed, 0, 0);
	}
	PGresult *rows = bm_phase_ask(
			phase, side, row->sql, param != NULL ? 1 : 0, &param, err);
	PQclear(feed);
	return rows;
}

static void look(const struct walk *walk, const struct bm_ready_row *row, json_t *condition)
{
	struct bm_error err = BM_ERROR_INIT;

	if (row->only_both && !walk->phase->request.is_both) {
		set(condition, "ready",
				walk->phase->request.cutover.has_way_back ? "is made first"
									  : "no way back",
				"", "");
		return;
	}
	if (row->look != NULL) {
		if (row->look(walk->phase, condition, &err) != 0) {
			set_unknown(condition, err.message);
		}
		return;
	}
	PGresult *rows = ask(walk, row, &err);
	if (rows == NULL) {
		set_unknown(condition, err.message);
	} else {
		(PQnfields(rows) == 3 ? take_found : take_asked)(walk, row, rows, condition);
	}
	PQclear(rows);
}

static bool is_good(const json_t *condition)
{
	const char *state = json_string_value(json_object_get(condition, "state"));

	return strcmp(state, "ready") == 0 || strcmp(state, "accepted") == 0;
}

/* ---- all of them ---- */

static void note_problem(struct walk *walk, enum bm_side side, const struct bm_error *err)
{
	bm_text_copy(walk->problems[side], sizeof(walk->problems[side]), err->message);
}

static int read_names(struct walk *walk, struct bm_error *err)
{
	struct bm_phase *phase = walk->phase;
	enum bm_side from = bm_cutover_from(phase);
	PGresult *rows = bm_phase_ask(
			phase, from, bm_ready_tables_sql, 1, &phase->request.name, err);

	walk->names = bm_strdup(rows != NULL ? PQgetvalue(rows, 0, 0) : "[]");
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

static void prepare_side(struct walk *walk, enum bm_side side)
{
	struct bm_error err = BM_ERROR_INIT;
	const char *sql = side == BM_SIDE_CONTROL ? bm_ready_control_sql
						  : bm_ready_settings_sql;
	char budget[16];
	const char *const params[] = {walk->names, walk->phase->request.name, budget};

	snprintf(budget, sizeof(budget), "%u", walk->phase->request.cutover.budget_msec);
	if (walk->problems[side][0] == '\0' &&
			bm_phase_do(walk->phase, side, sql, side == BM_SIDE_CONTROL ? 1 : 3,
					side == BM_SIDE_CONTROL ? &params[1] : params,
					&err) != 0) {
		note_problem(walk, side, &err);
	}
}

static void prepare(struct walk *walk)
{
	struct bm_error err = BM_ERROR_INIT;

	walk->begun_msec = bm_clock_msec();
	if (read_names(walk, &err) != 0) {
		note_problem(walk, bm_cutover_from(walk->phase), &err);
	}
	for (enum bm_side side = 0; side < BM_SIDE_COUNT; side++) {
		prepare_side(walk, side);
	}
}

/* A transaction is old when it is there at two looks that are so far apart. */
static void wait_for_second_look(const struct walk *walk)
{
	uint64_t due = walk->begun_msec + walk->phase->request.cutover.budget_msec / 4;
	uint64_t now = bm_clock_msec();

	if (now < due) {
		poll(NULL, 0, (int)(due - now));
	}
}

static void look_again(const struct walk *walk, json_t *conditions)
{
	for (size_t i = 0; i < bm_ready_row_count; i++) {
		json_t *condition = json_array_get(conditions, i);
		if (bm_ready_rows[i].passes && !is_good(condition)) {
			look(walk, &bm_ready_rows[i], condition);
		}
	}
}

/* Whether something may be ready by waiting. */
static bool may_pass(const json_t *conditions)
{
	bool passes = false;

	for (size_t i = 0; i < bm_ready_row_count; i++) {
		bool good = is_good(json_array_get(conditions, i));
		if (!good && !bm_ready_rows[i].passes) {
			return false; /* it would be in vain */
		}
		passes = passes || !good;
	}
	return passes;
}

static bool all_good(const json_t *conditions)
{
	for (size_t i = 0; i < json_array_size(conditions); i++) {
		if (!is_good(json_array_get(conditions, i))) {
			return false;
		}
	}
	return true;
}

static json_t *walk_all(const struct walk *walk)
{
	json_t *conditions = json_array();

	for (size_t i = 0; i < bm_ready_row_count; i++) {
		const struct bm_ready_row *row = &bm_ready_rows[i];
		json_t *condition = json_pack(
				"{s:s, s:s}", "name", row->name, "limit", row->limit);
		if (row->looks_twice) {
			wait_for_second_look(walk);
		}
		look(walk, row, condition);
		json_array_append_new(conditions, condition);
	}
	while (may_pass(conditions) && bm_clock_msec() - walk->begun_msec < PATIENCE_MSEC) {
		poll(NULL, 0, AGAIN_MSEC);
		look_again(walk, conditions);
	}
	return conditions;
}

int bm_cutover_ready(
		struct bm_phase *phase, json_t *conditions, bool *ready, struct bm_error *err)
{
	struct walk walk = {.phase = phase};

	if (!phase->request.is_both && bm_cutover_from(phase) == BM_SIDE_DESTINATION) {
		snprintf(phase->hint, sizeof(phase->hint), BM_NO_WAY_BACK_HINT);
		return bm_error_set(err, BM_ERR_PRECONDITION, BM_NO_WAY_BACK);
	}
	prepare(&walk);
	json_t *all = walk_all(&walk);
	json_array_extend(conditions, all);
	*ready = all_good(all);
	json_decref(all);
	free(walk.names);
	if (walk.problems[BM_SIDE_SOURCE][0] != '\0' &&
			walk.problems[BM_SIDE_DESTINATION][0] != '\0') {
		*ready = false;
		return bm_error_set(err, BM_ERR_TRANSIENT, "neither side can be asked: %s",
				walk.problems[BM_SIDE_SOURCE]);
	}
	return 0;
}

int bm_cutover_check(struct bm_phase *phase, struct bm_error *err)
{
	json_t *conditions = json_array();
	bool ready = false;

	bm_report_progress(0, 1, "steps", "asking whether all is ready");
	int rc = bm_cutover_know_accepted(phase, err);
	rc = rc == 0 ? bm_cutover_ready(phase, conditions, &ready, err) : -1;
	json_object_set_new(phase->evidence, "direction", json_string(phase->request.phase));
	json_object_set_new(phase->evidence, "mode", json_string("check"));
	json_object_set_new(
			phase->evidence, "result", json_string(ready ? "ready" : "not_ready"));
	json_object_set_new(phase->evidence, "conditions", conditions);
	return rc;
}
