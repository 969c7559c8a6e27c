/* One function at each end, and Bucardo's idea of the key brought in line with it. */
#include "worker/tend_keys.h"

#include <jansson.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "worker/report.h"
#include "worker/staging.h"
#include "worker/tend_pause.h"

/* clang-format off */
/* Columns of a delta table are those of the key, in its order, and then the stamp. */
#define DELTA_COLUMNS(delta, quote) \
	"(SELECT array_agg(" quote "(a.attname) ORDER BY a.attnum) FROM pg_attribute a" \
	"  WHERE a.attrelid = to_regclass('bucardo.' || " delta ") AND a.attnum > 0" \
	"  AND NOT a.attisdropped AND a.attname <> 'txntime')"

static const char follow_function[] =
#include "worker/sql/machine_follow_key.sql.inc"
;

/* Tables of ours whose trigger names a column that they do not have. */
static const char broken_sql[] =
"SELECT n.tablename, string_agg(quote_ident(d.attname), ', '),"
" bucardo.machine_follow_key(n.tablename, n.deltaname)"
" FROM (SELECT DISTINCT tablename, deltaname FROM bucardo.bucardo_delta_names"
"  WHERE regexp_replace(sync, ' \\(paused\\)$', '') IN (SELECT sync FROM bucardo.machine_syncs)"
"  AND to_regclass(tablename) IS NOT NULL) n"
" JOIN pg_attribute d ON d.attrelid = to_regclass('bucardo.' || n.deltaname)"
"  AND d.attnum > 0 AND NOT d.attisdropped AND d.attname <> 'txntime'"
" WHERE NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = to_regclass(n.tablename)"
"  AND a.attname = d.attname AND a.attnum > 0 AND NOT a.attisdropped)"
" GROUP BY n.tablename, n.deltaname";

/* $1 the migration: the keys of its tables as Bucardo has them. */
static const char keys_sql[] =
"SELECT quote_ident(g.schemaname) || '.' || quote_ident(g.tablename), g.qpkey"
" FROM bucardo.goat g WHERE g.db = $1 || '_source' AND g.reltype = 'table'";

/* $1 a JSON object of those: where the source has others, those and their syncs. */
static const char renamed_sql[] =
"SELECT n.tablename, n.sync, array_to_string(" DELTA_COLUMNS("n.deltaname", "text") ", '|'),"
" array_to_string(" DELTA_COLUMNS("n.deltaname", "quote_ident") ", '|')"
" FROM (SELECT DISTINCT tablename, deltaname, regexp_replace(sync, ' \\(paused\\)$', '') AS sync"
"  FROM bucardo.bucardo_delta_names) n JOIN json_each_text($1::json) k ON k.key = n.tablename"
" WHERE n.sync IN (SELECT sync FROM bucardo.machine_syncs)"
" AND array_to_string(" DELTA_COLUMNS("n.deltaname", "quote_ident") ", '|') <> k.value";

static const char rekey_sql[] =
"UPDATE bucardo.goat SET pkey = $3, qpkey = $4 WHERE db = $1 || '_source' AND reltype = 'table'"
" AND quote_ident(schemaname) || '.' || quote_ident(tablename) = $2";
/* clang-format on */

/* Whether the end is captured at all: the destination is with direction both. */
static bool is_captured(const struct bm_tend *tend, enum bm_end end)
{
	return end == BM_END_SOURCE || tend->phase->order.is_both;
}

int bm_keys_prepare(struct bm_tend *tend, struct bm_error *err)
{
	static const char *const steps[] = {follow_function};
	int rc = bm_tend_prepare_end(tend, BM_END_SOURCE, steps, 1, err);

	return rc == 0 ? bm_tend_prepare_end(tend, BM_END_DESTINATION, steps, 1, err) : -1;
}

static int follow_end(struct bm_look *look, enum bm_end end, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(look->tend->phase, end, broken_sql, 0, NULL, err);

	for (int i = 0; rows != NULL && i < PQntuples(rows); i++) {
		const char *table = PQgetvalue(rows, i, 0), *gone = PQgetvalue(rows, i, 1);
		const char *new = PQgetvalue(rows, i, 2);
		if (new[0] != '\0') {
			bm_report_note("%s: its key column %s is called %s on the %s now; "
				       "its trigger follows",
					table, gone, new, bm_end_name(end));
		} else if (json_object_get(look->keyless, table) == NULL) {
			char *what = bm_format("its key column %s is gone on the %s, and every "
					       "write to it fails in Bucardo's trigger",
					gone, bm_end_name(end));
			json_object_set_new(look->keyless, table, bm_json_text(what));
			free(what);
		}
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

/* {"public.t": "id"}, as text; NULL with `err`. */
static char *read_keys(struct bm_phase *phase, struct bm_error *err)
{
	const char *const params[] = {phase->order.name};
	PGresult *rows = bm_phase_ask(phase, BM_END_CONTROL, keys_sql, 1, params, err);
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

static int rekey(struct bm_tend *tend, const PGresult *rows, int row, struct bm_error *err)
{
	const char *const params[] = {tend->phase->order.name, PQgetvalue(rows, row, 0),
			PQgetvalue(rows, row, 2), PQgetvalue(rows, row, 3)};

	return bm_pause_reload_with(tend, PQgetvalue(rows, row, 1), rekey_sql, 4, params, err);
}

static int follow_in_bucardo(struct bm_look *look, struct bm_error *err)
{
	struct bm_phase *phase = look->tend->phase;
	char *keys = read_keys(phase, err);
	PGresult *rows = keys == NULL ? NULL
				      : bm_phase_ask(phase, BM_END_SOURCE, renamed_sql, 1,
							(const char *const *)&keys, err);
	int rc = rows != NULL ? 0 : -1;

	for (int i = 0; rc == 0 && i < PQntuples(rows); i++) {
		rc = rekey(look->tend, rows, i, err);
	}
	PQclear(rows);
	free(keys);
	return rc;
}

int bm_keys_follow(struct bm_look *look, struct bm_error *err)
{
	for (enum bm_end end = BM_END_SOURCE; end <= BM_END_DESTINATION; end++) {
		if (is_captured(look->tend, end) && follow_end(look, end, err) != 0) {
			return bm_error_wrap(err, "following keys of the %s", bm_end_name(end));
		}
	}
	return follow_in_bucardo(look, err);
}
