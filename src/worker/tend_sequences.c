/*
 * Sequences, carried one way with head-room:
 *
 *     read what the source has handed out
 *     plan, on the destination: where each sequence shall stand, committed
 *     set those that stand before it
 *
 * The destination is kept ahead by what the source may hand out until the next round,
 * so that a value is never handed out twice when the source is lost in between.
 * setval() cannot be rolled back: a plan that was committed and not carried out is
 * carried out the next time. A sequence that stands neither where it stood nor where
 * it was set was moved on by somebody else: an application writes there, and it is
 * left alone from then on.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "worker/chosen.h"
#include "worker/report.h"
#include "worker/tend.h"

/* Sequences asked for in one statement. */
#define SEQUENCES_AT_ONCE 200

/* Names in the evidence. */
#define MOST_NAMES 20

/* clang-format off */
static const char list_sql[] =
"SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
" WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'"
" AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')"
" AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
"  AND d.objid = c.oid AND d.deptype = 'e') AND c.oid <> ALL ($1::oid[]) ORDER BY 1";

static const char lifted_function[] =
#include "worker/sql/is_lifted.sql.inc"
;

static const char plan_function[] =
#include "worker/sql/plan_sequences.sql.inc"
;

static const char set_function[] =
#include "worker/sql/set_sequences.sql.inc"
;

static const char *const prepare_steps[] = {
	"SET client_min_messages = warning",
	"CREATE SCHEMA IF NOT EXISTS bucardo_machine",
	/* seen: of the source; goal: where ours shall stand, and where it stood before;
	 * back: it may be set back to there; own: not ours any more. */
	"CREATE TABLE IF NOT EXISTS bucardo_machine.sequence (name text PRIMARY KEY,"
	" seen numeric NOT NULL, goal numeric NOT NULL, stood numeric NOT NULL,"
	" own boolean NOT NULL DEFAULT false,"
	" back boolean NOT NULL DEFAULT false)",
	lifted_function, plan_function, set_function,
};
/* clang-format on */

int bm_tend_sequences_prepare(struct bm_tend *tend, struct bm_error *err)
{
	for (size_t i = 0; i < BM_COUNT_OF(prepare_steps); i++) {
		if (bm_phase_do(tend->phase, BM_END_DESTINATION, prepare_steps[i], 0, NULL,
				    err) != 0) {
			return bm_error_wrap(err, "preparing the destination's sequences");
		}
	}
	return 0;
}

/* ---- the source ---- */

static PGresult *read_some(
		struct bm_tend *tend, const PGresult *names, int first, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	for (int i = first; i < first + SEQUENCES_AT_ONCE && i < PQntuples(names); i++) {
		bm_strbuf_printf(&sql, "%sSELECT %d, last_value, is_called FROM %s",
				i > first ? " UNION ALL " : "", i, PQgetvalue(names, i, 0));
	}
	PGresult *rows = bm_phase_ask(
			tend->phase, BM_END_SOURCE, bm_strbuf_text(&sql), 0, NULL, err);
	bm_strbuf_finish(&sql);
	return rows;
}

/* What the source has handed out, as plan_sequences() wants it; NULL with `err`. */
static json_t *read_source(struct bm_tend *tend, struct bm_error *err)
{
	char *outside = bm_chosen_outside(tend->phase, err);
	PGresult *names = outside == NULL
			? NULL
			: bm_phase_ask(tend->phase, BM_END_SOURCE, list_sql, 1,
					  (const char *const *)&outside, err);
	json_t *list = names != NULL ? json_array() : NULL;

	for (int i = 0; list != NULL && i < PQntuples(names); i += SEQUENCES_AT_ONCE) {
		PGresult *rows = read_some(tend, names, i, err);
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
	free(outside);
	return list;
}

/* ---- the destination ---- */

struct tally {
	json_int_t carried;
	bool is_lifted;
	json_t *left, *failed;
};

static void note_left(struct bm_tend *tend, const char *name)
{
	char *text = bm_format(
			"sequence %s was moved on at the destination by somebody else: it is not "
			"carried any more",
			name);

	bm_tend_note(tend, text, text);
	free(text);
}

static void note_failed(struct bm_tend *tend, const char *name, const char *why)
{
	char *text = bm_format("sequence %s cannot be carried: %s", name, why);

	bm_tend_note(tend, text, text);
	free(text);
}

/* The rows of both functions: sequence, state, detail. */
static void take_rows(struct bm_tend *tend, const PGresult *rows, struct tally *tally)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		const char *name = PQgetvalue(rows, row, 0);
		const char *state = PQgetvalue(rows, row, 1);
		const char *detail = PQgetvalue(rows, row, 2);
		if (strcmp(state, "carried") == 0) {
			tally->carried++;
		} else if (strcmp(state, "lifted") == 0) {
			tally->is_lifted = true;
		} else if (strcmp(state, "left") == 0) {
			note_left(tend, name);
			if (json_array_size(tally->left) < MOST_NAMES) {
				json_array_append_new(tally->left, json_string(name));
			}
		} else if (strcmp(state, "failed") == 0) {
			note_failed(tend, name, detail);
			if (json_array_size(tally->failed) < MOST_NAMES) {
				json_array_append_new(tally->failed,
						json_pack("{s:s,s:s}", "sequence", name, "why",
								detail));
			}
		}
	}
}

static int carry(struct bm_tend *tend, const json_t *list, struct tally *tally,
		struct bm_error *err)
{
	char *text = json_dumps(list, JSON_COMPACT);
	const char *const params[] = {text};
	PGresult *planned = bm_phase_ask(tend->phase, BM_END_DESTINATION,
			"SELECT * FROM bucardo_machine.plan_sequences($1::json)", 1, params,
			err);
	PGresult *set = planned == NULL
			? NULL
			: bm_phase_ask(tend->phase, BM_END_DESTINATION,
					  "SELECT * FROM bucardo_machine.set_sequences()", 0,
					  NULL, err);

	if (set != NULL) {
		take_rows(tend, planned, tally);
		take_rows(tend, set, tally);
	}
	free(text);
	PQclear(planned);
	PQclear(set);
	return set != NULL ? 0 : -1;
}

int bm_tend_sequences(struct bm_tend *tend, struct bm_error *err)
{
	struct tally tally = {.left = json_array(), .failed = json_array()};
	json_t *list = read_source(tend, err);
	int rc = list == NULL ? -1 : carry(tend, list, &tally, err);

	if (rc == 0 && tally.is_lifted) {
		bm_tend_note(tend, "lifted",
				"the destination's fence is lifted: sequences are not carried any "
				"more");
	} else if (rc == 0) {
		bm_tend_forget(tend, "lifted");
	}
	if (rc == 0) {
		json_object_set_new(tend->phase->evidence, "sequences",
				json_pack("{s:I,s:b,s:O,s:O}", "carried", tally.carried,
						"lifted", tally.is_lifted, "left", tally.left,
						"failed", tally.failed));
	}
	json_decref(list);
	json_decref(tally.left);
	json_decref(tally.failed);
	return rc == 0 ? 0 : bm_error_wrap(err, "carrying the sequences");
}
