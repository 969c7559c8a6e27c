/*
 * Sequences, transferred to the follower with head-room:
 *
 *     when the sides have just changed places: let none of the live side stand behind
 *     read what the live side has handed out
 *     plan, on the follower: where each sequence shall stand, committed
 *     set those that stand before it
 *
 * All of it while the sides stay what they are (bm_live_hold). The follower is kept ahead by
 * what the live side may hand out until the next pass, so that a value is never handed out
 * twice when that is lost in between, or when they change places. setval() cannot be rolled
 * back: a plan that was committed and not carried out is carried out the next time. One that
 * stands neither where it stood nor where it was set was moved on by somebody else: that is
 * told, and it is only set when it would fall behind.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "worker/schema/selected_tables.h"
#include "worker/live/live.h"
#include "base/protocol/report.h"
#include "worker/live/pass.h"
#include "worker/reconcile/lead.h"

/* Sequences asked for in one statement. */
#define SEQUENCES_AT_ONCE 200

/* Names in the evidence. */
#define MOST_NAMES 20

/* clang-format off */
static const char list_sql[] =
#include "worker/reconcile/sql/sequences_list.sql.inc"
;

static const char plan_function[] =
#include "worker/reconcile/sql/plan_sequences.sql.inc"
;

static const char set_function[] =
#include "worker/reconcile/sql/set_sequences.sql.inc"
;

static const char fresh_function[] =
#include "worker/reconcile/sql/fresh_sequences.sql.inc"
;

static const char advance_function[] =
#include "worker/reconcile/sql/advance_sequence.sql.inc"
;

static const char text_sql[] =
#include "worker/reconcile/sql/sequence_text.sql.inc"
;

static const char epoch_sql[] =
#include "worker/reconcile/sql/sequence_epoch.sql.inc"
;

static const char create_sql[] =
#include "worker/reconcile/sql/sequence_create.sql.inc"
;

static const char *const prepare_steps[] = {
	"SET client_min_messages = warning",
	"CREATE SCHEMA IF NOT EXISTS bucardo_machine",
	/* seen: of the live side; goal: where ours shall stand, and where it stood before; back:
	 * it may be set back to there; own: somebody else moves it on; epoch: since when. */
	create_sql,
	epoch_sql,
	plan_function, set_function, fresh_function, advance_function,
};
/* clang-format on */

static int prepare_side(struct bm_pass *pass, enum bm_side side, struct bm_error *err)
{
	for (size_t i = 0; !pass->is_prepared[side] && i < BM_COUNT_OF(prepare_steps); i++) {
		if (bm_phase_do(pass->phase, side, prepare_steps[i], 0, NULL, err) != 0) {
			return bm_error_wrap(err, "preparing the sequences of the %s",
					bm_side_name(side));
		}
	}
	pass->is_prepared[side] = true;
	return 0;
}

/* On the source it is made for a way back only: nothing of ours is left there without need. */
static int prepare(struct bm_pass *pass, struct bm_error *err)
{
	if (prepare_side(pass, BM_SIDE_DESTINATION, err) != 0) {
		return -1;
	}
	return pass->has_turned && bm_pass_applies(pass)
			? prepare_side(pass, BM_SIDE_SOURCE, err)
			: 0;
}

/* ---- the live side ---- */

static PGresult *read_some(struct bm_pass *pass, enum bm_side side, const PGresult *names,
		int first, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	for (int i = first; i < first + SEQUENCES_AT_ONCE && i < PQntuples(names); i++) {
		bm_strbuf_printf(&sql, "%sSELECT %d, last_value, is_called FROM %s",
				i > first ? " UNION ALL " : "", i, PQgetvalue(names, i, 0));
	}
	PGresult *rows = bm_phase_ask(pass->phase, side, bm_strbuf_text(&sql), 0, NULL, err);
	bm_strbuf_finish(&sql);
	return rows;
}

/* The sequences of a side that are selected by the live side's catalog. */
static PGresult *read_names(struct bm_pass *pass, enum bm_side side, struct bm_error *err)
{
	char *outside = side == pass->live ? bm_selected_outside(pass->phase, side, err)
					   : bm_strdup("{}");
	PGresult *names = outside == NULL ? NULL
					  : bm_phase_ask(pass->phase, side, list_sql, 1,
							    (const char *const *)&outside, err);

	free(outside);
	return names;
}

/* What a side has handed out, as plan_sequences() wants it; NULL with `err`. */
static json_t *read_side(struct bm_pass *pass, enum bm_side side, struct bm_error *err)
{
	PGresult *names = read_names(pass, side, err);
	json_t *list = names != NULL ? json_array() : NULL;

	for (int i = 0; list != NULL && i < PQntuples(names); i += SEQUENCES_AT_ONCE) {
		PGresult *rows = read_some(pass, side, names, i, err);
		for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
			int place = atoi(PQgetvalue(rows, row, 0));
			json_array_append_new(list,
					json_pack("{s:s,s:s,s:b}", "name",
							PQgetvalue(names, place, 0), "last",
							PQgetvalue(rows, row, 1), "called",
							PQgetvalue(rows, row, 2)[0] == 't'));
		}
		if (rows == NULL) {
			json_decref(list);
			list = NULL;
		}
		PQclear(rows);
	}
	PQclear(names);
	return list;
}

/* ---- the sides have changed places ---- */

static void report_failed(
		struct bm_pass *pass, json_t *failed, const char *name, const char *why)
{
	char *text = bm_format("sequence %s cannot be transferred: %s", name, why);

	bm_pass_note(pass, text, text);
	free(text);
	if (json_array_size(failed) < MOST_NAMES) {
		json_array_append_new(
				failed, json_pack("{s:s,s:s}", "sequence", name, "why", why));
	}
}

/* Not of those that have failed: they are fresh in the next pass too. */
static void leave_out(json_t *list, const char *name)
{
	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *one = json_array_get(list, i);
		if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) {
			json_array_remove(list, i);
		}
	}
}

static int advance(struct bm_pass *pass, const char *name, const char *last, json_t *failed,
		struct bm_error *err)
{
	const char *const params[] = {name, last};

	if (bm_phase_do(pass->phase, pass->live,
			    "SELECT bucardo_machine.advance_sequence($1, $2::numeric)", 2,
			    params, err) == 0) {
		return 0;
	}
	if (err->code == BM_ERR_SQL) {
		report_failed(pass, failed, name, err->message);
	}
	return -1;
}

/* What the follower has handed out while it was live is not handed out again. */
static int take_over(struct bm_pass *pass, json_t *list, json_t *failed, struct bm_error *err)
{
	char *text = json_dumps(list, JSON_COMPACT);
	const char *const params[] = {text, pass->epoch};
	PGresult *fresh = bm_phase_ask(pass->phase, bm_pass_follower(pass),
			"SELECT * FROM bucardo_machine.fresh_sequences($1::json, $2)", 2,
			params, err);
	int rc = fresh != NULL ? 0 : -1;

	for (int row = 0; rc == 0 && row < PQntuples(fresh); row++) {
		const char *name = PQgetvalue(fresh, row, 0);
		rc = advance(pass, name, PQgetvalue(fresh, row, 1), failed, err);
		if (rc != 0 && err->code == BM_ERR_SQL) {
			leave_out(list, name);
			*err = (struct bm_error)BM_ERROR_INIT;
			rc = 0;
		}
	}
	PQclear(fresh);
	free(text);
	return rc;
}

/* With direction forward nothing is written to the source: what it had handed out when the
 * fence was lifted is seen once. */
static int take_over_forward(struct bm_pass *pass, json_t *failed, struct bm_error *err)
{
	json_t *list = read_side(pass, BM_SIDE_SOURCE, err);
	int rc = list != NULL ? 0 : -1;
	size_t index;
	const json_t *one;

	json_array_foreach(list, index, one)
	{
		if (rc == 0 && json_is_true(json_object_get(one, "called"))) {
			rc = advance(pass, json_string_value(json_object_get(one, "name")),
					json_string_value(json_object_get(one, "last")), failed,
					err);
		}
		if (rc != 0 && err->code == BM_ERR_SQL) {
			*err = (struct bm_error)BM_ERROR_INIT; /* told; the others go on */
			rc = 0;
		}
	}
	/* What has failed is tried again, and told, in each pass. */
	if (rc == 0 && json_array_size(failed) == 0) {
		snprintf(pass->taken_over, sizeof(pass->taken_over), "%s", pass->epoch);
	}
	json_decref(list);
	return rc;
}

/* ---- the follower ---- */

struct tally {
	json_int_t transferred;
	json_t *left, *failed, *missing;
};

/* One that was made later, on the live side alone; it is transferred once the follower has it.
 */
static void report_missing(struct bm_pass *pass, json_t *missing, const char *name)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *rows = bm_phase_ask(pass->phase, pass->live, text_sql, 1, &name, &ignored);
	bool is_there = rows != NULL && PQntuples(rows) > 0;
	const char *follower = bm_side_name(bm_pass_follower(pass));
	char *why = bm_format("it is on the %s only", bm_side_name(pass->live));
	char *hint = bm_format("on the %s: %s", follower,
			is_there ? PQgetvalue(rows, 0, 0) : "make it as it is there");
	char *text = bm_format("sequence %s: %s; %s", name, why, hint);

	bm_pass_note(pass, text, text);
	if (json_array_size(missing) < MOST_NAMES) {
		json_array_append_new(missing,
				json_pack("{s:s, s:o, s:o}", "sequence", name, "why",
						bm_json_text(why), "hint", bm_json_text(hint)));
	}
	free(text);
	free(hint);
	free(why);
	PQclear(rows);
}

static void report_left(struct bm_pass *pass, const char *name)
{
	char *text = bm_format("sequence %s was moved on at the %s by somebody else: it is set "
			       "only when it would fall behind",
			name, bm_side_name(bm_pass_follower(pass)));

	bm_pass_note(pass, text, text);
	free(text);
}

/* The rows of both functions: sequence, state, detail. */
static void take_rows(struct bm_pass *pass, const PGresult *rows, struct tally *tally)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		const char *name = PQgetvalue(rows, row, 0);
		const char *state = PQgetvalue(rows, row, 1);
		if (strcmp(state, "carried") == 0) {
			tally->transferred++;
		} else if (strcmp(state, "left") == 0) {
			report_left(pass, name);
			if (json_array_size(tally->left) < MOST_NAMES) {
				json_array_append_new(tally->left, json_string(name));
			}
		} else if (strcmp(state, "missing") == 0) {
			report_missing(pass, tally->missing, name);
		} else if (strcmp(state, "failed") == 0) {
			report_failed(pass, tally->failed, name, PQgetvalue(rows, row, 2));
		}
	}
}

/* Committed one after the other. */
static int follow(struct bm_pass *pass, const json_t *list, struct tally *tally,
		struct bm_error *err)
{
	char *text = json_dumps(list, JSON_COMPACT);
	const char *const params[] = {text, pass->epoch};
	enum bm_side side = bm_pass_follower(pass);
	PGresult *planned = bm_phase_ask(pass->phase, side,
			"SELECT * FROM bucardo_machine.plan_sequences($1::json, $2)", 2, params,
			err);
	PGresult *set = planned == NULL
			? NULL
			: bm_phase_ask(pass->phase, side,
					  "SELECT * FROM bucardo_machine.set_sequences($1)", 1,
					  params + 1, err);

	if (set != NULL) {
		take_rows(pass, planned, tally);
		take_rows(pass, set, tally);
	}
	free(text);
	PQclear(planned);
	PQclear(set);
	return set != NULL ? 0 : -1;
}

static int transfer_back_or_forth(
		struct bm_pass *pass, struct tally *tally, struct bm_error *err)
{
	json_t *list = read_side(pass, pass->live, err);
	int rc = list != NULL ? 0 : -1;

	if (rc == 0 && pass->has_turned) {
		rc = take_over(pass, list, tally->failed, err);
	}
	if (rc == 0) {
		rc = follow(pass, list, tally, err);
	}
	json_decref(list);
	return rc;
}

static int transfer(struct bm_pass *pass, struct tally *tally, struct bm_error *err)
{
	if (prepare(pass, err) != 0) {
		return -1;
	}
	if (bm_pass_applies(pass)) {
		return transfer_back_or_forth(pass, tally, err);
	}
	return strcmp(pass->taken_over, pass->epoch) != 0
			? take_over_forward(pass, tally->failed, err)
			: 0;
}

/* While the sides stay what they are; else it is the next pass's. */
static int transfer_held(struct bm_pass *pass, struct tally *tally, struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;
	int held = bm_live_hold(pass, err);
	int rc = held < 0 ? -1 : 0;

	pass->are_transferred = false;
	if (held > 0) {
		rc = transfer(pass, tally, err);
		pass->are_transferred = rc == 0;
		int released = bm_live_release(pass, rc == 0 ? err : &ignored);
		rc = rc == 0 ? released : -1;
	}
	return rc;
}

int bm_reconcile_sequences(struct bm_pass *pass, struct bm_error *err)
{
	struct tally tally = {
			.left = json_array(), .failed = json_array(), .missing = json_array()};
	bool is_lifted = pass->live == BM_SIDE_DESTINATION;
	int rc = transfer_held(pass, &tally, err);

	if (rc == 0) {
		json_object_set_new(pass->phase->evidence, "sequences",
				json_pack("{s:I,s:s,s:b,s:O,s:O,s:O}", "transferred",
						tally.transferred, "to",
						bm_side_name(bm_pass_follower(pass)), "lifted",
						is_lifted, "left", tally.left, "failed",
						tally.failed, "missing", tally.missing));
	}
	if (rc != 0) {
		/* Perhaps somebody dropped it. */
		pass->is_prepared[BM_SIDE_SOURCE] = pass->is_prepared[BM_SIDE_DESTINATION] =
				false;
	}
	json_decref(tally.left);
	json_decref(tally.failed);
	json_decref(tally.missing);
	return rc == 0 ? 0 : bm_error_wrap(err, "transferring the sequences");
}

/* ---- for a cut-over ---- */

/* The first that cannot be set keeps the sides from changing places. */
static int check_led(const struct tally *tally, struct bm_error *err)
{
	const json_t *failed = json_array_get(tally->failed, 0);
	const json_t *first = failed != NULL ? failed : json_array_get(tally->missing, 0);

	return first == NULL
			? 0
			: bm_error_set(err, BM_ERR_PRECONDITION, "sequence %.128s: %.400s",
					  json_string_value(json_object_get(first, "sequence")),
					  json_string_value(json_object_get(first, "why")));
}

int bm_sequences_lead(struct bm_pass *pass, long *set, struct bm_error *err)
{
	struct tally tally = {
			.left = json_array(), .failed = json_array(), .missing = json_array()};
	json_t *list = NULL;
	int rc = prepare_side(pass, bm_pass_follower(pass), err);

	if (rc == 0) {
		list = read_side(pass, pass->live, err);
		rc = list != NULL ? follow(pass, list, &tally, err) : -1;
	}
	rc = rc == 0 ? check_led(&tally, err) : -1;
	*set = (long)tally.transferred;
	json_decref(list);
	json_decref(tally.left);
	json_decref(tally.failed);
	json_decref(tally.missing);
	return rc == 0 ? 0 : bm_error_wrap(err, "setting the sequences ahead");
}
