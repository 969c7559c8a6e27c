/* One function at each side, and Bucardo's idea of the key brought in line with it. */
#include "worker/tables/table_keys.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "base/protocol/report.h"
#include "worker/tables/resend.h"
#include "worker/deltas/batch_limit.h"
#include "worker/tables/table_pause.h"

/* At one side, in one pass. */
#define FOLLOW_MSEC 10000

/* clang-format off */
/* Columns of a delta table are those of the key, in its order, and txntime. */
#define DELTA_COLUMNS(delta, what, between) \
	"(SELECT array_to_string(array_agg(" what " ORDER BY a.attnum), " between ")" \
	"  FROM pg_catalog.pg_attribute a" \
	"  JOIN pg_catalog.pg_type y ON y.oid = a.atttypid" \
	"  WHERE a.attrelid = to_regclass('bucardo.' || " delta ") AND a.attnum > 0" \
	"  AND NOT a.attisdropped AND a.attname <> 'txntime')"

enum { TABLE, EVENT, WAS, NOW, AGAIN };
static const char follow_sql[] =
"SELECT tablename, event, coalesce(was, ''), coalesce(now_is, ''), again"
" FROM bucardo.machine_follow($1, $2)";

/* $1 the migration: the keys of its tables as Bucardo has them; which are bytea matters to it. */
static const char keys_sql[] =
#include "worker/deltas/sql/keys_known.sql.inc"
;

/* $1 a JSON object of those: where the source has others, those and their syncs. */
static const char changed_sql[] =
"SELECT x.goat, x.sync, x.names, x.quoted, x.types FROM (SELECT m.goat, n.sync,"
DELTA_COLUMNS("n.deltaname", "text(a.attname)", "'|'") " AS names,"
DELTA_COLUMNS("n.deltaname", "quote_ident(a.attname)", "'|'") " AS quoted,"
DELTA_COLUMNS("n.deltaname", "text(y.typname)", "'|'") " AS types,"
DELTA_COLUMNS("n.deltaname", "CASE y.typname WHEN 'bytea' THEN 'b' ELSE '-' END", "''")
" AS bytes"
"  FROM (SELECT DISTINCT tablename, deltaname, regexp_replace(sync, ' \\(paused\\)$', '') AS sync"
"   FROM bucardo.bucardo_delta_names) n JOIN bucardo.machine_keys m ON m.name = n.tablename"
"  WHERE n.sync IN (SELECT sync FROM bucardo.machine_syncs)) x"
" JOIN json_each_text($1::json) k ON k.key = x.goat"
" WHERE k.value <> x.quoted || ' : ' || x.bytes";

static const char rekey_sql[] =
#include "worker/deltas/sql/key_replace.sql.inc"
;
/* clang-format on */

/* ---- at the sides ---- */

static bool is_event(const PGresult *rows, int row, const char *event)
{
	return strcmp(PQgetvalue(rows, row, EVENT), event) == 0;
}

/* It is paused, and told of the first side; takes over both texts. */
static void report_wrong(struct bm_pass *pass, const char *table, char *what, char *hint)
{
	if (json_object_get(pass->keyless, table) == NULL) {
		json_object_set_new(pass->keyless, table,
				json_pack("{s:s, s:o, s:o, s:b}", "table", table, "difference",
						bm_json_text(what), "hint", bm_json_text(hint),
						"breaks", true));
	}
	free(what);
	free(hint);
}

static void report(struct bm_pass *pass, enum bm_side side, const PGresult *rows, int row)
{
	const char *table = PQgetvalue(rows, row, TABLE), *was = PQgetvalue(rows, row, WAS);
	const char *now = PQgetvalue(rows, row, NOW), *name = bm_side_name(side);

	if (is_event(rows, row, "renamed")) {
		bm_report_note("%s is called %s on the %s now; what is kept of it follows", was,
				now, name);
	} else if (is_event(rows, row, "followed")) {
		bm_report_note("%s: its key is (%s) on the %s now; its trigger follows", table,
				now, name);
	} else if (is_event(rows, row, "rekeyed")) {
		bm_report_note("%s: its key was (%s) and is (%s) on the %s now; its trigger follows",
				table, was, now, name);
	} else if (is_event(rows, row, "busy")) {
		char *text = bm_format(
				"%s: its key or name was changed on the %s, and somebody "
				"holds a lock: writes to it may fail until it is released",
				table, name);
		bm_pass_note(pass, text, text);
		free(text);
	} else if (is_event(rows, row, "failed")) {
		report_wrong(pass, table,
				bm_format("its key or name was changed on the %s, and what is "
					  "kept of it cannot follow: %s",
						name, was),
				bm_strdup("change it back; it is tried again by itself"));
	} else {
		report_wrong(pass, table,
				bm_format("it has no key any more on the %s (it was: %s), and "
					  "nothing of it is captured",
						name, was),
				bm_format("on both sides: ALTER TABLE %s ADD PRIMARY KEY (...); then all "
					  "its rows are sent again",
						table));
	}
}

/* A resend is requested before the change that it is for. */
static int request(struct bm_pass *pass, enum bm_side side, const PGresult *rows,
		struct bm_error *err)
{
	char *why = bm_format("on the %s its key became another one", bm_side_name(side));
	int rc = 0;

	for (int i = 0; rc == 0 && i < PQntuples(rows); i++) {
		if (PQgetvalue(rows, i, AGAIN)[0] == 't') {
			rc = bm_resend_request(pass, PQgetvalue(rows, i, TABLE), why, err);
		}
	}
	free(why);
	return rc;
}

static PGresult *ask_follow(struct bm_pass *pass, enum bm_side side, const char *doing,
		const char *table, struct bm_error *err)
{
	const char *const params[] = {doing, table};

	return bm_phase_ask(pass->phase, side, follow_sql, 2, params, err);
}

/* What one row of a dry run says, done. */
static int follow_table(struct bm_pass *pass, enum bm_side side, const PGresult *plan, int row,
		struct bm_error *err)
{
	int name = is_event(plan, row, "renamed") ? WAS : TABLE;
	PGresult *rows = ask_follow(pass, side, "t", PQgetvalue(plan, row, name), err);
	int rc = rows != NULL ? request(pass, side, rows, err) : -1;

	for (int i = 0; rc == 0 && i < PQntuples(rows); i++) {
		report(pass, side, rows, i);
		if (is_event(rows, i, "renamed") || is_event(rows, i, "followed") ||
				is_event(rows, i, "rekeyed")) {
			pass->check_at_msec = 0; /* Bucardo has to learn of it */
		}
	}
	PQclear(rows);
	return rc;
}

/* What is left when time is up is followed in the next pass. */
static int follow_side(struct bm_pass *pass, enum bm_side side, struct bm_error *err)
{
	PGresult *plan = ask_follow(pass, side, "f", "", err);
	uint64_t end_msec = bm_clock_msec() + FOLLOW_MSEC;
	int rc = plan == NULL ? -1 : request(pass, side, plan, err);

	for (int i = 0; rc == 0 && i < PQntuples(plan) && bm_clock_msec() < end_msec; i++) {
		rc = follow_table(pass, side, plan, i, err);
	}
	PQclear(plan);
	return rc;
}

int bm_keys_pass(struct bm_pass *pass, struct bm_error *err)
{
	json_object_clear(pass->keyless);
	for (enum bm_side side = BM_SIDE_SOURCE; side <= BM_SIDE_DESTINATION; side++) {
		bool is_captured = side == BM_SIDE_SOURCE || pass->phase->request.is_both;
		if (is_captured && follow_side(pass, side, err) != 0) {
			return bm_error_wrap(
					err, "following keys of the %s", bm_side_name(side));
		}
	}
	return 0;
}

bool bm_keys_evaluate(struct bm_pass *pass, const char *table, json_t *drift)
{
	json_t *wrong = json_object_get(pass->keyless, table);

	return wrong != NULL && json_array_append(drift, wrong) == 0;
}

/* ---- in Bucardo ---- */

/* {"public.t": "id bigint"}, as text; NULL with `err`. */
static char *read_keys(struct bm_phase *phase, struct bm_error *err)
{
	const char *const params[] = {phase->request.name};
	PGresult *rows = bm_phase_ask(phase, BM_SIDE_CONTROL, keys_sql, 1, params, err);
	json_t *keys = json_object();

	for (int i = 0; rows != NULL && i < PQntuples(rows); i++) {
		json_object_set_new(keys, PQgetvalue(rows, i, 0),
				json_string(PQgetvalue(rows, i, 1)));
	}
	char *text = rows != NULL ? json_dumps(keys, JSON_COMPACT) : NULL;
	PQclear(rows);
	json_decref(keys);
	return text;
}

static int rekey(struct bm_pass *pass, const PGresult *rows, int row, struct bm_error *err)
{
	const char *const params[] = {pass->phase->request.name, PQgetvalue(rows, row, 0),
			PQgetvalue(rows, row, 2), PQgetvalue(rows, row, 3),
			PQgetvalue(rows, row, 4)};

	return bm_pause_reload_with(pass, PQgetvalue(rows, row, 1), rekey_sql, 5, params, err);
}

int bm_keys_follow(struct bm_table_check *check, struct bm_error *err)
{
	struct bm_phase *phase = check->pass->phase;
	char *keys = read_keys(phase, err);
	PGresult *rows = keys == NULL ? NULL
				      : bm_phase_ask(phase, BM_SIDE_SOURCE, changed_sql, 1,
							(const char *const *)&keys, err);
	int rc = rows != NULL ? 0 : -1;

	for (int i = 0; rc == 0 && i < PQntuples(rows); i++) {
		rc = rekey(check->pass, rows, i, err);
	}
	PQclear(rows);
	free(keys);
	return rc;
}
