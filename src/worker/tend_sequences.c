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

/* A person lifts the fence at the cut-over: from then on applications write there. */
static const char lifted_function[] =
"CREATE OR REPLACE FUNCTION bucardo_machine.is_lifted() RETURNS boolean"
" LANGUAGE plpgsql SET search_path = pg_catalog AS $machine$ "
"DECLARE lifted boolean := false; "
"BEGIN "
" IF to_regclass('bucardo_machine.fence') IS NOT NULL THEN "
"  EXECUTE 'SELECT EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NOT NULL)'"
"   INTO lifted; "
" END IF; "
" RETURN lifted; "
"END $machine$";

/*
 * Positions are the value handed out last, or the one before the first. The head-room
 * is four times what was handed out since the last round, 100 values at least, and a
 * tenth of what is left at most: it must not use up a short sequence.
 */
static const char plan_function[] =
"CREATE OR REPLACE FUNCTION bucardo_machine.plan_sequences(my_list json)"
" RETURNS TABLE (sequence text, state text, detail text)"
" LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '200ms' AS $machine$ "
"DECLARE t record; s record; v record; known record; here numeric; there numeric; "
" direction int; room numeric; wrapped boolean;"
" lifted boolean := bucardo_machine.is_lifted(); "
"BEGIN "
" FOR t IN SELECT * FROM json_to_recordset(my_list)"
"  AS x(name text, last numeric, called boolean) LOOP "
"  sequence := t.name; detail := ''; state := 'carried'; "
"  BEGIN "
"   SELECT * INTO s FROM pg_sequence WHERE seqrelid = to_regclass(t.name); "
"   IF NOT FOUND THEN state := 'missing'; RETURN NEXT; CONTINUE; END IF; "
"   EXECUTE 'SELECT last_value, is_called FROM ' || t.name INTO v; "
"   direction := sign(s.seqincrement); "
"   here := v.last_value - CASE WHEN v.is_called THEN 0 ELSE s.seqincrement END; "
"   there := t.last - CASE WHEN t.called THEN 0 ELSE s.seqincrement END; "
"   SELECT * INTO known FROM bucardo_machine.sequence q WHERE q.name = t.name; "
"   IF NOT FOUND THEN "
"    INSERT INTO bucardo_machine.sequence (name, seen, goal, stood)"
"     VALUES (t.name, there, here, here)"
"     RETURNING * INTO known; "
"   END IF; "
"   IF NOT known.own AND here <> known.goal AND (here - known.stood) * direction > 0 THEN "
"    UPDATE bucardo_machine.sequence q SET own = true WHERE q.name = t.name; "
"    known.own := true; "
"   END IF; "
"   IF known.own THEN state := 'left'; RETURN NEXT; CONTINUE; END IF; "
"   IF lifted THEN state := 'lifted'; RETURN NEXT; CONTINUE; END IF; "
"   wrapped := s.seqcycle AND (there - known.seen) * direction < 0; "
"   room := trunc((CASE WHEN direction > 0 THEN s.seqmax ELSE s.seqmin END - there)"
"    / s.seqincrement / 10); "
"   room := greatest(0, least(room,"
"    greatest(100, 4 * trunc((there - known.seen) / s.seqincrement)))); "
"   IF wrapped OR (here - there) / s.seqincrement < room / 2 "
"    OR (here - there) * direction < 0 THEN "
"    there := there + room * s.seqincrement; "
"    IF there BETWEEN s.seqmin AND s.seqmax AND (wrapped OR (there - here) * direction > 0) THEN "
"     UPDATE bucardo_machine.sequence q SET goal = there, stood = here, back = wrapped"
"      WHERE q.name = t.name; "
"    END IF; "
"    there := there - room * s.seqincrement; "
"   END IF; "
"   IF known.seen <> there THEN "
"    UPDATE bucardo_machine.sequence q SET seen = there WHERE q.name = t.name; "
"   END IF; "
"  EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_table THEN "
"   state := 'failed'; detail := SQLERRM; "
"  END; "
"  RETURN NEXT; "
" END LOOP; "
"END $machine$";

static const char set_function[] =
"CREATE OR REPLACE FUNCTION bucardo_machine.set_sequences()"
" RETURNS TABLE (sequence text, state text, detail text)"
" LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '200ms' AS $machine$ "
"DECLARE t record; s record; v record; here numeric; "
"BEGIN "
" FOR t IN SELECT q.* FROM bucardo_machine.sequence q WHERE NOT q.own"
"  AND NOT bucardo_machine.is_lifted() ORDER BY q.name LOOP "
"  BEGIN "
"   SELECT * INTO s FROM pg_sequence WHERE seqrelid = to_regclass(t.name); "
"   IF NOT FOUND THEN "
"    DELETE FROM bucardo_machine.sequence q WHERE q.name = t.name; CONTINUE; "
"   END IF; "
"   EXECUTE 'SELECT last_value, is_called FROM ' || t.name INTO v; "
"   here := v.last_value - CASE WHEN v.is_called THEN 0 ELSE s.seqincrement END; "
"   IF here <> t.goal AND (here - t.stood) * s.seqincrement > 0 THEN "
"    UPDATE bucardo_machine.sequence q SET own = true WHERE q.name = t.name; "
"   ELSIF t.back OR (t.goal - here) * s.seqincrement > 0 THEN "
"    PERFORM setval(s.seqrelid::regclass, t.goal::bigint, true); "
"    UPDATE bucardo_machine.sequence q SET stood = t.goal, back = false WHERE q.name = t.name; "
"   END IF; "
"  EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_table"
"   OR numeric_value_out_of_range THEN "
"   sequence := t.name; state := 'failed'; detail := SQLERRM; RETURN NEXT; "
"  END; "
" END LOOP; "
"END $machine$";

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
