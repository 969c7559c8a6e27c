/* Failed runs in, tables to be paused out; the memory between is machine.refused. */
#include "worker/tables/refused_tables.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "base/protocol/report.h"

#define MOST_REFUSED "20"

/* clang-format off */
static const char refused_table[] =
#include "worker/tables/sql/refused_table.sql.inc"
;

static const char *const prepare_steps[] = {
	"SET client_min_messages = warning",
	"CREATE SCHEMA IF NOT EXISTS machine",
	refused_table,
	"UPDATE machine.refused SET until = now() WHERE until > now()",
};

static const char newest_sql[] =
#include "worker/tables/sql/newest_failures.sql.inc"
;

static const char failed_sql[] =
#include "worker/tables/sql/failed_run.sql.inc"
;

static const char record_sql[] =
#include "worker/tables/sql/refused_record.sql.inc"
;

static const char refuse_sql[] =
#include "worker/tables/sql/refused_pause.sql.inc"
;

static const char forget_sql[] =
#include "worker/tables/sql/refused_forget.sql.inc"
;

static const char refused_sql[] =
"SELECT tablename, error, side, prints, until <= now(), to_char(until AT TIME ZONE 'UTC',"
" 'HH24:MI:SS') FROM machine.refused WHERE sync = $1 AND until IS NOT NULL ORDER BY 1";

static const char drop_sql[] =
"DELETE FROM machine.refused WHERE sync = $1 AND tablename = $2";

static const char release_sql[] =
"UPDATE machine.refused SET until = NULL, strikes = 0, released = now()"
" WHERE sync = $1 AND tablename = $2";
/* clang-format on */

enum { ERROR, ENDED, SAID };
enum { NAME, WORDS, SIDE, PRINTS, IS_OVER, UNTIL };

int bm_refused_prepare(struct bm_pass *pass, struct bm_error *err)
{
	for (size_t i = 0; i < BM_COUNT_OF(prepare_steps); i++) {
		if (bm_phase_do(pass->phase, BM_SIDE_CONTROL, prepare_steps[i], 0, NULL, err) !=
				0) {
			return bm_error_wrap(err, "making table machine.refused");
		}
	}
	return 0;
}

int bm_refused_is_news(struct bm_pass *pass, bool *is_news, struct bm_error *err)
{
	const char *const params[] = {pass->phase->request.name};
	PGresult *rows = bm_phase_ask(pass->phase, BM_SIDE_CONTROL, newest_sql, 1, params, err);

	if (rows == NULL) {
		return -1;
	}
	const char *newest = PQgetvalue(rows, 0, 0);
	*is_news = pass->failed == NULL || strcmp(pass->failed, newest) != 0;
	if (*is_news) {
		free(pass->failed);
		pass->failed = bm_strdup(newest);
	}
	PQclear(rows);
	return 0;
}

/* ---- whose error it is ---- */

/* Classes of SQLSTATE that no row and no definition of a table brings about. */
static bool is_general(const char *state)
{
	static const char *const classes[] = {
			"08", "25", "40", "53", "55", "57", "58", "F0", "XX"};

	for (size_t i = 0; i < BM_COUNT_OF(classes); i++) {
		if (strncmp(state, classes[i], 2) == 0) {
			return true;
		}
	}
	return false;
}

/* What may be over once rows that are deferred are back (of a constraint), or once Bucardo has
 * read the columns anew (of names and of what a line of a COPY has). */
static bool may_pass(const char *state)
{
	return strncmp(state, "23", 2) == 0 || strncmp(state, "42", 2) == 0 ||
			strncmp(state, "22P04", 5) == 0;
}

/* Behind `prefix`, or NULL. */
static const char *skip(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return text != NULL && strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

/* " on app_destination: " */
static const char *side_of(const char *text, const char *name)
{
	static const char *const sides[] = {"source", "destination"};
	const char *database = skip(skip(text, " on "), name);

	for (size_t i = 0; i < BM_COUNT_OF(sides); i++) {
		if (skip(skip(skip(database, "_"), sides[i]), ": ") != NULL) {
			return sides[i];
		}
	}
	return NULL;
}

int bm_refused_find(const char *text, const char *name, const char *const *tables, int count,
		const char **side, bool *twice)
{
	const char *state = skip(text, "SQLSTATE ");

	if (state == NULL || strlen(state) < 5 || is_general(state)) {
		return -1;
	}
	const char *at = skip(state + 5, " at ");
	for (int i = 0; at != NULL && i < count; i++) {
		const char *found = side_of(skip(at, tables[i]), name);
		if (found != NULL) {
			*side = found;
			*twice = may_pass(state);
			return i;
		}
	}
	return -1;
}

/* ---- one sync ---- */

/* What is compared of a table, on both sides: another text when it changed. */
static char *prints_of(const struct bm_table_check *check, const char *table)
{
	const char *source = json_string_value(json_object_get(check->source, table));
	const char *dest = json_string_value(json_object_get(check->destination, table));

	return bm_format("%s/%s", source != NULL ? source : "", dest != NULL ? dest : "");
}

static int record(struct bm_table_check *check, const char *sync, const char *table,
		const PGresult *failed, const char *side, bool twice, struct bm_error *err)
{
	char *prints = prints_of(check, table);
	const char *const recorded[] = {sync, table, PQgetvalue(failed, 0, SAID), side,
			PQgetvalue(failed, 0, ENDED), prints};
	const char *const params[] = {sync, table, twice ? "2" : "1", MOST_REFUSED};
	int rc = bm_phase_do(check->pass->phase, BM_SIDE_CONTROL, record_sql, 6, recorded, err);

	if (rc == 0) {
		rc = bm_phase_do(check->pass->phase, BM_SIDE_CONTROL, refuse_sql, 4, params,
				err);
	}
	free(prints);
	return rc;
}

/* `*is_failing`: the newest run of the sync failed. */
static int take_failure(struct bm_table_check *check, const char *sync,
		const PGresult *captured, bool *is_failing, struct bm_error *err)
{
	struct bm_phase *phase = check->pass->phase;
	PGresult *failed = bm_phase_ask(phase, BM_SIDE_CONTROL, failed_sql, 1, &sync, err);
	int count = PQntuples(captured), rc = failed != NULL ? 0 : -1;
	const char **tables = bm_alloc(((size_t)count + 1) * sizeof(*tables));
	const char *side;
	bool twice;

	for (int i = 0; i < count; i++) {
		tables[i] = PQgetvalue(captured, i, 0);
	}
	*is_failing = rc == 0 && PQntuples(failed) > 0;
	if (*is_failing) {
		int index = bm_refused_find(PQgetvalue(failed, 0, ERROR), phase->request.name,
				tables, count, &side, &twice);
		if (index >= 0) {
			rc = record(check, sync, tables[index], failed, side, twice, err);
		}
	}
	free(tables);
	PQclear(failed);
	return rc;
}

static void refuse(const struct bm_table_check *check, json_t *refused, const PGresult *rows,
		int row)
{
	const char *name = check->pass->phase->request.name;
	char *difference = bm_format("the %s refused its rows: %s", PQgetvalue(rows, row, SIDE),
			PQgetvalue(rows, row, WORDS));
	char *hint = bm_format(
			"correct on the %s what the error names; it is tried again when a "
			"definition of the table changes, and at %s UTC; at once after "
			"`bucardo-machine pause %s` and `bucardo-machine resume %s`",
			PQgetvalue(rows, row, SIDE), PQgetvalue(rows, row, UNTIL), name, name);

	json_object_set_new(refused, PQgetvalue(rows, row, NAME),
			json_pack("{s:o, s:o}", "difference", bm_json_text(difference), "hint",
					bm_json_text(hint)));
	free(difference);
	free(hint);
}

static bool is_gone(const struct bm_table_check *check, const char *table)
{
	return json_object_get(check->source, table) == NULL &&
			json_object_get(check->destination, table) == NULL;
}

/* Those that are over, or were altered, are put back on trial; the others stay out. While
 * other tables make runs fail no trial begins: it could not be told from them. */
static int take_refused(struct bm_table_check *check, const char *sync, const PGresult *rows,
		bool is_failing, json_t *refused, struct bm_error *err)
{
	int rc = 0;

	for (int row = 0; rc == 0 && row < PQntuples(rows); row++) {
		const char *const params[] = {sync, PQgetvalue(rows, row, NAME)};
		char *prints = prints_of(check, params[1]);
		bool changed = strcmp(prints, PQgetvalue(rows, row, PRINTS)) != 0;
		free(prints);
		bool is_over = PQgetvalue(rows, row, IS_OVER)[0] == 't';
		if (changed || (is_over && !is_failing)) {
			rc = bm_phase_do(check->pass->phase, BM_SIDE_CONTROL,
					is_gone(check, params[1]) ? drop_sql : release_sql, 2,
					params, err);
		} else {
			refuse(check, refused, rows, row);
		}
	}
	return rc;
}

int bm_refused_update(struct bm_table_check *check, const struct bm_paused_sync *sync,
		const PGresult *captured, json_t **refused, struct bm_error *err)
{
	struct bm_phase *phase = check->pass->phase;
	PGresult *rows = NULL;
	bool is_failing = false;

	*refused = json_object();
	if (take_failure(check, sync->name, captured, &is_failing, err) == 0 &&
			bm_phase_do(phase, BM_SIDE_CONTROL, forget_sql, 1, &sync->name, err) ==
					0) {
		rows = bm_phase_ask(phase, BM_SIDE_CONTROL, refused_sql, 1, &sync->name, err);
	}
	int rc = rows != NULL ? take_refused(check, sync->name, rows, is_failing, *refused, err)
			      : -1;
	PQclear(rows);
	return rc == 0 ? 0
		       : bm_error_wrap(err, "reading the failed runs of sync '%s'", sync->name);
}
