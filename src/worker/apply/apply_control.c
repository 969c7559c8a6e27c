/* What the control database knows of the tables: paths, and choices of a person. */
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "worker/apply/internal.h"
#include "worker/session/ask.h"

#define READ_LIMIT_MSEC 30000

/* clang-format off */
static const char paths_sql[] =
#include "worker/deltas/sql/apply_paths.sql.inc"
;
static const char customised_sql[] =
#include "worker/deltas/sql/apply_customised.sql.inc"
;
static const char set_sql[] = "SELECT pg_catalog.set_config('search_path', $1, true)";
/* clang-format on */

static struct bm_apply_table *table_named(struct bm_apply *apply, const char *name)
{
	for (size_t i = 0; i < apply->count; i++) {
		if (strcmp(apply->tables[i].name, name) == 0) {
			return &apply->tables[i];
		}
	}
	return NULL;
}

static int read_customised(struct bm_apply *apply, PGconn *control, struct bm_error *err)
{
	const char *const params[] = {apply->migration};
	PGresult *rows = bm_ask(control, customised_sql, 1, params, READ_LIMIT_MSEC, err);

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		struct bm_apply_table *table = table_named(apply, PQgetvalue(rows, row, 0));
		if (table != NULL) {
			bm_apply_set_problem(table,
					"what is applied of it was chosen by hand (customcols or "
					"customname of Bucardo)");
		}
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

static int read_paths(struct bm_apply *apply, PGconn *control, enum bm_apply_end end,
		struct bm_error *err)
{
	const char *const params[] = {apply->migration, bm_apply_end_name(apply, end)};
	PGresult *rows = bm_ask(control, paths_sql, 2, params, READ_LIMIT_MSEC, err);

	for (size_t i = 0; rows != NULL && i < apply->count; i++) {
		free(apply->tables[i].path[end]);
		apply->tables[i].path[end] = NULL;
	}
	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		struct bm_apply_table *table = table_named(apply, PQgetvalue(rows, row, 0));
		if (table != NULL) {
			free(table->path[end]);
			table->path[end] = bm_strdup(PQgetvalue(rows, row, 1));
		}
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

int bm_apply_read_control(struct bm_apply *apply, PGconn *control, struct bm_error *err)
{
	PGresult *there = bm_ask(control,
			"SELECT to_regclass('bucardo.machine_paths') IS NOT NULL", 0, NULL,
			READ_LIMIT_MSEC, err);
	bool has_paths = there != NULL && PQgetvalue(there, 0, 0)[0] == 't';
	int rc = there != NULL ? read_customised(apply, control, err) : -1;

	PQclear(there);
	for (enum bm_apply_end end = 0; rc == 0 && has_paths && end < BM_APPLY_ENDS; end++) {
		rc = read_paths(apply, control, end, err);
	}
	return rc == 0 ? 0
		       : bm_error_wrap(err, "what the control database knows of the tables");
}

static size_t add_path(const char *path, struct bm_pipeline *pipeline)
{
	const char *const params[] = {path};

	bm_pipeline_add(pipeline, set_sql, 1, params);
	return 1;
}

size_t bm_apply_add_path(const struct bm_apply_table *table, enum bm_apply_end end,
		struct bm_pipeline *pipeline)
{
	return table->path[end] != NULL ? add_path(table->path[end], pipeline) : 0;
}

size_t bm_apply_add_usual_path(const struct bm_apply_table *table, enum bm_apply_end end,
		struct bm_pipeline *pipeline)
{
	return table->path[end] != NULL ? add_path(bm_session_path(BM_SESSION_WORKER), pipeline)
					: 0;
}
