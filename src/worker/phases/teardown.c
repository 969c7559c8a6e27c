/*
 * Teardown, as a phase that a person asked for:
 *
 *     wait until Bucardo has let go of the syncs, which the machine deactivates
 *     remove the migration from the control database
 *     take out of each side what is ours, or what is this migration's where others use it too
 *     search the catalogs of both sides for what is left
 *
 * What is to be removed is found by the names that follow from the migration's own, so it may
 * be killed anywhere and done again. A side that cannot be reached keeps nobody from the other.
 */
#include "worker/phases/teardown.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/traces.h"
#include "bucardo_machine/words.h"
#include "worker/live/identity.h"
#include "worker/live/identity_hints.h"
#include "base/protocol/report.h"

#define LOOK_MSEC 100

/* A run ends soon after its sync was deactivated, or waits for somebody's lock. */
#define RUN_LIMIT_MSEC 10000
/* Of a sync that the master could not validate the table says active, whatever it is told. */
#define FREE_AFTER_MSEC 15000
#define HOLD_LIMIT_MSEC 120000
/* The observer and the master close what they have open once the migration is gone. */
#define SESSIONS_LIMIT_MSEC 15000

/* clang-format off */
static const char control_sql[] =
#include "worker/phases/sql/teardown_control.sql.inc"
;
static const char hold_sql[] =
#include "worker/phases/sql/teardown_hold.sql.inc"
;

/* Of a run that is under way; $1 is the migration. */
static const char end_runs_sql[] =
#include "worker/phases/sql/teardown_end_runs.sql.inc"
;

static const char sessions_sql[] =
#include "worker/phases/sql/teardown_sessions.sql.inc"
;
/* clang-format on */

static const enum bm_side both_sides[] = {BM_SIDE_SOURCE, BM_SIDE_DESTINATION};

struct side {
	struct bm_phase *phase;
	enum bm_side which;
	struct bm_traces *traces;
	const char *names[2];
	struct bm_strbuf others;
	json_t *reported; /* what is left, or could not be removed */
	uint64_t done;
};

/* ---- Bucardo lets go ---- */

struct hold {
	long active, runs, masters;
};

static int read_hold(struct bm_phase *phase, struct hold *hold, struct bm_error *err)
{
	const char *const name[] = {phase->request.name};
	PGresult *rows = bm_phase_ask(phase, BM_SIDE_CONTROL, hold_sql, 1, name, err);

	if (rows == NULL) {
		return -1;
	}
	*hold = (struct hold){atol(PQgetvalue(rows, 0, 0)), atol(PQgetvalue(rows, 0, 1)),
			atol(PQgetvalue(rows, 0, 2))};
	PQclear(rows);
	return 0;
}

/* A KID that waits for a lock, or for a network, hears nothing. */
static void end_runs(struct bm_phase *phase)
{
	const char *const name[] = {phase->request.name};

	for (size_t i = 0; i < BM_COUNT_OF(both_sides); i++) {
		struct bm_error ignored = BM_ERROR_INIT;
		bm_phase_do(phase, both_sides[i], end_runs_sql, 1, name, &ignored);
	}
}

static int wait_until_free(struct bm_phase *phase, struct bm_error *err)
{
	uint64_t begun_msec = bm_clock_msec(), passed = 0;
	struct hold hold = {.active = 1};
	bool ended = false;

	for (; passed < HOLD_LIMIT_MSEC; passed = bm_clock_msec() - begun_msec) {
		if (read_hold(phase, &hold, err) != 0) {
			return -1;
		}
		if (hold.runs == 0 &&
				(hold.active == 0 || hold.masters == 0 ||
						passed > FREE_AFTER_MSEC)) {
			return 0;
		}
		if (passed > RUN_LIMIT_MSEC && !ended) {
			ended = true;
			end_runs(phase);
		}
		poll(NULL, 0, LOOK_MSEC);
	}
	return bm_error_set(err, BM_ERR_TRANSIENT,
			"Bucardo has not let go of the migration yet: %ld of its syncs are active, "
			"%ld of its runs are under way",
			hold.active, hold.runs);
}

static int clear_control(struct bm_phase *phase, struct bm_error *err)
{
	const char *const name[] = {phase->request.name};
	int rc = bm_phase_begin(phase, err);

	if (rc == 0) {
		rc = bm_phase_do(phase, BM_SIDE_CONTROL,
				"SELECT set_config('bucardo_machine.name', $1, true)", 1, name,
				err);
	}
	if (rc == 0) {
		rc = bm_phase_do(phase, BM_SIDE_CONTROL, control_sql, 0, NULL, err);
	}
	rc = bm_phase_end(phase, rc, err);
	return rc == 0 ? 0 : bm_error_wrap(err, "removing it from the control database");
}

/* ---- a side ---- */

static void on_report(void *ctx, const char *what, const char *statement)
{
	struct side *side = ctx;

	json_array_append_new(side->reported,
			json_pack("{s:o, s:o}", "what", bm_json_text(what), "statement",
					bm_json_text(statement)));
}

static void on_step(void *ctx, int left, const char *statement)
{
	struct side *side = ctx;
	char text[160];

	snprintf(text, sizeof(text), "%s: %.120s", bm_side_name(side->which), statement);
	bm_report_progress(side->done, side->done + (uint64_t)left, "objects", text);
	side->done++;
}

static void on_wait(void *ctx, const char *holders, const char *statement)
{
	struct side *side = ctx;
	const char *name = bm_side_name(side->which);
	char text[160];

	snprintf(text, sizeof(text), "%s: waits for a lock that %.110s has", name, holders);
	bm_report_progress(side->done, side->done + 1, "objects", text);
	bm_report_note("the teardown waits on the %s, and tries again: %.200s; the lock is held by "
		       "%s; to go on at once end that transaction",
			name, statement, holders);
}

static void close_side(struct side *side)
{
	bm_traces_close(side->traces);
	bm_strbuf_finish(&side->others);
	json_decref(side->reported);
	*side = (struct side){.others = BM_STRBUF_INIT};
}

static bool is_without(const struct bm_phase *phase, enum bm_side which)
{
	const char *without = json_string_value(
			json_object_get(phase->request.root, "without"));

	return without != NULL &&
			(strcmp(without, "both") == 0 ||
					strcmp(without, bm_side_name(which)) == 0);
}

/* Another machine owns it: what it works with is not ours to remove. */
static int check_owner(struct side *side, struct bm_error *err)
{
	struct bm_phase *phase = side->phase;
	struct bm_strbuf why = BM_STRBUF_INIT;
	json_t *state = NULL;
	char *owner = bm_identity_owner(phase, err);
	int rc = owner != NULL ? bm_identity_read(phase, side->which, &state, err) : -1;

	if (rc == 0 && bm_identity_is_foreign(state, owner)) {
		bm_identity_report_foreign(state, bm_side_name(side->which), &why);
		snprintf(phase->hint, sizeof(phase->hint),
				"`bucardo-machine teardown %s` there; when that machine is gone for "
				"good: bucardo-machine accept %s take-over. To forget it here alone: "
				"bucardo-machine teardown %s --without both",
				phase->request.name, phase->request.name, phase->request.name);
		rc = bm_error_set(err, BM_ERR_PRECONDITION, "%s", bm_strbuf_text(&why));
	}
	json_decref(state);
	bm_strbuf_finish(&why);
	free(owner);
	return rc;
}

/* Before anything is removed, of the sides that can be asked. */
static int check_owners(struct bm_phase *phase, struct bm_error *err)
{
	for (size_t i = 0; i < BM_COUNT_OF(both_sides); i++) {
		struct side side = {.phase = phase, .which = both_sides[i]};
		if (!is_without(phase, both_sides[i]) && check_owner(&side, err) != 0) {
			if (err->code == BM_ERR_PRECONDITION) {
				return -1;
			}
			*err = (struct bm_error)BM_ERROR_INIT;
		}
	}
	return 0;
}

static int open_side(struct bm_phase *phase, enum bm_side which, struct side *side,
		struct bm_error *err)
{
	struct bm_conninfo words = {0};

	*side = (struct side){.phase = phase,
			.which = which,
			.names = {phase->request.name},
			.others = BM_STRBUF_INIT,
			.reported = json_array()};
	if (check_owner(side, err) != 0) {
		return -1;
	}
	bm_phase_conninfo(phase, which, &words);
	bm_conninfo_put(&words, "application_name", "bucardo-machine teardown");
	side->traces = bm_traces_open(&words, bm_side_name(which), err);
	bm_conninfo_finish(&words);
	if (side->traces == NULL) {
		return -1;
	}
	return bm_traces_others(side->traces, side->names, &side->others, err) < 0 ? -1 : 0;
}

/* What is still open there might make again what is removed. Where others work it stays. */
static void wait_for_sessions(struct side *side)
{
	uint64_t begun_msec = bm_clock_msec();
	struct bm_error ignored = BM_ERROR_INIT;
	bool some = side->others.length == 0;

	/* Our own of the preview before is one of them. */
	while (some && bm_clock_msec() - begun_msec < SESSIONS_LIMIT_MSEC) {
		PGresult *rows = bm_phase_ask(
				side->phase, side->which, sessions_sql, 0, NULL, &ignored);
		some = rows != NULL && strcmp(PQgetvalue(rows, 0, 0), "0") != 0;
		PQclear(rows);
		if (some) {
			poll(NULL, 0, LOOK_MSEC);
		}
	}
}

static void put_side(struct side *side, const char *state, const char *why)
{
	json_t *sides = json_object_get(side->phase->evidence, "sides");
	json_t *object = json_pack("{s:s, s:s, s:o, s:o, s:O}", "side",
			bm_side_name(side->which), "state", state, "place",
			bm_json_text(side->traces != NULL ? bm_traces_place(side->traces) : ""),
			"others", bm_json_text(bm_strbuf_text(&side->others)), "left",
			side->reported);

	if (why != NULL) {
		json_object_set_new(object, "why", bm_json_text(why));
	}
	if (sides == NULL) {
		sides = json_array();
		json_object_set_new(side->phase->evidence, "sides", sides);
	}
	json_array_append_new(sides, object);
}

static void report_result(const struct side *side, int left)
{
	const char *name = bm_side_name(side->which), *place = bm_traces_place(side->traces);

	if (left == 0) {
		struct bm_strbuf others = BM_STRBUF_INIT;
		bm_words_names(&others, bm_strbuf_text(&side->others));
		bm_report_note("nothing of ours is left on the %s, %s%s%s", name, place,
				others.length > 0 ? ", but what is used by " : "",
				bm_strbuf_text(&others));
		bm_strbuf_finish(&others);
	}
	for (size_t i = 0; left > 0 && i < json_array_size(side->reported); i++) {
		const json_t *one = json_array_get(side->reported, i);
		bm_report_note("left on the %s, %s: %s; what removes it: %s", name, place,
				json_string_value(json_object_get(one, "what")),
				json_string_value(json_object_get(one, "statement")));
	}
}

static int remove_side(struct side *side, struct bm_error *err)
{
	const struct bm_traces_events removing = {on_report, on_step, on_wait, side},
				      searching = {.report = on_report, .ctx = side};

	wait_for_sessions(side);
	if (bm_traces_remove(side->traces, side->names, &removing, err) != 0) {
		const json_t *first = json_array_get(side->reported, 0);
		if (first != NULL) {
			snprintf(side->phase->hint, sizeof(side->phase->hint),
					"on the %s: %.300s; it was refused: %.500s",
					bm_side_name(side->which),
					json_string_value(json_object_get(first, "statement")),
					json_string_value(json_object_get(first, "what")));
		}
		return -1;
	}
	json_array_clear(side->reported);
	int left = bm_traces_left(side->traces, side->names, &searching, err);
	if (left < 0) {
		return -1;
	}
	report_result(side, left);
	put_side(side, left == 0 ? "clean" : "left", NULL);
	return 0;
}

static void report_unreachable(struct bm_phase *phase, enum bm_side which)
{
	if (phase->hint[0] == '\0') {
		snprintf(phase->hint, sizeof(phase->hint),
				"bring it back; when it is gone for good: bucardo-machine teardown "
				"%s --without %s",
				phase->request.name, bm_side_name(which));
	}
}

static int tear_down_side(struct bm_phase *phase, enum bm_side which, struct bm_error *err)
{
	struct side side;
	int rc;

	if (is_without(phase, which)) {
		side = (struct side){.phase = phase, .which = which, .reported = json_array()};
		put_side(&side, "without", NULL);
		close_side(&side);
		return 0;
	}
	rc = open_side(phase, which, &side, err);
	if (rc != 0) {
		report_unreachable(phase, which);
	} else {
		rc = remove_side(&side, err);
	}
	close_side(&side);
	return rc;
}

/* ---- only looked at ---- */

static const char *fence_of(const struct side *side)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *rows = side->which == BM_SIDE_DESTINATION
			? bm_phase_ask(side->phase, side->which,
					  "SELECT to_regclass('bucardo_machine.fence') IS NOT NULL",
					  0, NULL, &ignored)
			: NULL;
	bool there = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';

	PQclear(rows);
	if (!there) {
		return "none";
	}
	return bm_traces_is_fenced(side->traces) ? "up" : "lifted";
}

static json_t *preview_side(struct bm_phase *phase, enum bm_side which)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_traces_counts counts = {0};
	struct side side;
	json_t *object = json_pack("{s:s}", "side", bm_side_name(which));
	int rc = open_side(phase, which, &side, &err);

	if (rc == 0) {
		rc = bm_traces_count(side.traces, side.names, &counts, &err);
	}
	if (rc != 0) {
		json_object_set_new(object, "error", bm_json_text(err.message));
		json_object_set_new(object, "hint", bm_json_text(phase->hint));
		phase->hint[0] = '\0';
	} else {
		json_object_set_new(
				object, "place", bm_json_text(bm_traces_place(side.traces)));
		json_object_set_new(
				object, "others", bm_json_text(bm_strbuf_text(&side.others)));
		json_object_set_new(object, "triggers", json_integer(counts.triggers));
		json_object_set_new(object, "objects", json_integer(counts.objects));
		json_object_set_new(object, "waiting", json_integer(counts.waiting));
		json_object_set_new(object, "fence", json_string(fence_of(&side)));
	}
	close_side(&side);
	return object;
}

static void preview(struct bm_phase *phase)
{
	json_t *sides = json_array();

	json_array_append_new(sides, preview_side(phase, BM_SIDE_SOURCE));
	json_array_append_new(sides, preview_side(phase, BM_SIDE_DESTINATION));
	bm_report_plan(json_pack("{s:o}", "sides", sides));
}

int bm_teardown_run(struct bm_phase *phase, struct bm_error *err)
{
	int rc = 0;

	if (phase->request.plan) {
		preview(phase);
		return 0;
	}
	if (check_owners(phase, err) != 0) {
		return -1;
	}
	bm_report_progress(0, 0, "objects", "waiting until Bucardo has let go of its syncs");
	if (wait_until_free(phase, err) != 0 || clear_control(phase, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < BM_COUNT_OF(both_sides); i++) {
		struct bm_error why = BM_ERROR_INIT;
		if (tear_down_side(phase, both_sides[i], &why) != 0 && rc == 0) {
			rc = -1;
			*err = why;
		}
	}
	return rc;
}
