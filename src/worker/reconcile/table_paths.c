/* From the source's catalog to bucardo.machine_paths. */
#include "worker/reconcile/table_paths.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/paths.h"

/* A schema in which somebody else may create from now on is used no longer than this. */
#define RENEW_MSEC 60000

/* clang-format off */
const char bm_path_functions_sql[] =
#include "worker/reconcile/sql/path_functions.sql.inc"
;

/* Rows are read and written table by table, partitions by themselves. */
static const char tables_sql[] =
#include "worker/reconcile/sql/path_tables.sql.inc"
;

static const char create_sql[] =
"CREATE TABLE IF NOT EXISTS bucardo.machine_paths (migration text, side text, tablename text,"
" path text NOT NULL, PRIMARY KEY (migration, side, tablename))";

static const char write_sql[] =
#include "worker/reconcile/sql/path_write.sql.inc"
;
/* clang-format on */

/* The names of relations whose every row calls such a function; NULL with `err`. */
static char *find_relations(struct bm_phase *phase, struct bm_error *err)
{
	const char *const params[] = {"{}", ""};
	PGresult *rows = bm_phase_ask(
			phase, BM_SIDE_SOURCE, bm_path_functions_sql, 2, params, err);
	json_t *names = json_array();

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		if (PQgetvalue(rows, row, BM_CALLS_EACH_ROW)[0] == 't') {
			json_array_append_new(names,
					bm_json_text(PQgetvalue(rows, row, BM_CALLS_RELATION)));
		}
	}
	char *list = rows == NULL ? NULL : json_dumps(names, JSON_COMPACT | JSON_ENSURE_ASCII);
	PQclear(rows);
	json_decref(names);
	return list;
}

/* The path for a table at one side, where it is safe there. */
static int add_path(struct bm_phase *phase, enum bm_side side, const char *table,
		const char *schemas, json_t *paths, struct bm_error *err)
{
	const char *const params[] = {schemas, table};
	PGresult *rows = bm_phase_ask(phase, side, bm_paths_safe_sql, 2, params, err);

	if (rows != NULL && !PQgetisnull(rows, 0, 0)) {
		json_array_append_new(paths,
				json_pack("{s:s, s:o, s:o}", "side", bm_side_name(side),
						"tablename", bm_json_text(table), "path",
						bm_json_text(PQgetvalue(rows, 0, 0))));
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

static int add_table(
		struct bm_phase *phase, const char *table, json_t *paths, struct bm_error *err)
{
	const char *const params[] = {table, BM_PATHS_USUAL};
	PGresult *rows = bm_phase_ask(
			phase, BM_SIDE_SOURCE, bm_paths_source_sql, 2, params, err);
	int rc = rows == NULL ? -1
			      : add_path(phase, BM_SIDE_SOURCE, table, PQgetvalue(rows, 0, 0),
						paths, err);

	rc = rc == 0 ? add_path(phase, BM_SIDE_DESTINATION, table, PQgetvalue(rows, 0, 0),
				       paths, err)
		     : -1;
	PQclear(rows);
	return rc;
}

/* The rows for the control database, or NULL. */
static json_t *find_paths(struct bm_phase *phase, struct bm_error *err)
{
	char *relations = find_relations(phase, err);
	PGresult *tables = relations == NULL
			? NULL
			: bm_phase_ask(phase, BM_SIDE_SOURCE, tables_sql, 1,
					  (const char *const *)&relations, err);
	json_t *paths = json_array();
	int rc = tables != NULL ? 0 : -1;

	for (int row = 0; rc == 0 && row < PQntuples(tables); row++) {
		rc = add_table(phase, PQgetvalue(tables, row, 0), paths, err);
	}
	PQclear(tables);
	free(relations);
	if (rc != 0) {
		json_decref(paths);
		return NULL;
	}
	return paths;
}

int bm_table_paths_renew(struct bm_phase *phase, struct bm_error *err)
{
	json_t *paths = find_paths(phase, err);
	char *text = paths == NULL ? NULL : json_dumps(paths, JSON_COMPACT | JSON_ENSURE_ASCII);
	const char *const params[] = {phase->request.name, text};
	int rc = -1;

	if (text != NULL) {
		/* Another worker may be about to make it too. */
		struct bm_error ignored = BM_ERROR_INIT;
		bm_phase_do(phase, BM_SIDE_CONTROL, create_sql, 0, NULL, &ignored);
		rc = bm_phase_do(phase, BM_SIDE_CONTROL, write_sql, 2, params, err);
	}
	json_decref(paths);
	free(text);
	return rc == 0 ? 0 : bm_error_wrap(err, "reading which tables need a search_path");
}

int bm_reconcile_paths(struct bm_pass *pass, struct bm_error *err)
{
	uint64_t now = bm_clock_msec();

	if (now < pass->paths_at_msec) {
		return 0;
	}
	pass->paths_at_msec = now + RENEW_MSEC;
	return bm_table_paths_renew(pass->phase, err);
}
