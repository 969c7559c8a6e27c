/* Two questions, and the two statements that make the answers agree. */
#include "worker/tables/table_columns.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "worker/schema/selected_tables.h"
#include "worker/drift/drift.h"
#include "worker/tables/resend.h"
#include "worker/tables/table_pause.h"

/* clang-format off */
static const char applied_sql[] =
#include "worker/tables/sql/applied_columns.sql.inc"
;

static const char columns_sql[] =
#include "worker/tables/sql/columns_to_apply.sql.inc"
;

/* $1 the migration, $2 the table, $3 what to apply. */
#define THAT_GOAT \
	" bucardo.goat g WHERE g.db = $1 || '_source'" \
	" AND quote_ident(g.schemaname) || '.' || quote_ident(g.tablename) = $2"
static const char *const renew_steps[] = {
	"DELETE FROM bucardo.customcols WHERE $3::text IS NOT NULL AND goat IN (SELECT g.id FROM" THAT_GOAT ")",
	"INSERT INTO bucardo.customcols (goat, clause, db)"
	" SELECT g.id, $3, unnest(ARRAY[$1 || '_source', $1 || '_destination']) FROM" THAT_GOAT
	" AND $3 <> ''",
};
/* clang-format on */

/* Two columns as an object; a NULL becomes one. */
static json_t *read_pairs(struct bm_phase *phase, enum bm_side side, const char *sql,
		const char *parameter, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(phase, side, sql, 1, &parameter, err);
	json_t *pairs = rows != NULL ? json_object() : NULL;

	for (int i = 0; pairs != NULL && i < PQntuples(rows); i++) {
		json_object_set_new(pairs, PQgetvalue(rows, i, 0),
				PQgetisnull(rows, i, 1) ? json_null()
							: json_string(PQgetvalue(rows, i, 1)));
	}
	PQclear(rows);
	return pairs;
}

static bool has_generated(const struct bm_table_check *check)
{
	const char *name;
	json_t *print;

	json_object_foreach(check->source, name, print)
	{
		const char *text = json_string_value(print);
		size_t length = strlen(text), tail = strlen(BM_DRIFT_GENERATED);
		if (length > tail && strcmp(text + length - tail, BM_DRIFT_GENERATED) == 0) {
			return true;
		}
	}
	return false;
}

int bm_columns_read(struct bm_table_check *check, struct bm_error *err)
{
	struct bm_phase *phase = check->pass->phase;

	check->applied = read_pairs(
			phase, BM_SIDE_CONTROL, applied_sql, phase->request.name, err);
	if (check->applied == NULL) {
		return bm_error_wrap(err, "reading which columns are applied");
	}
	check->columns = has_generated(check)
			? read_pairs(phase, BM_SIDE_SOURCE, columns_sql,
					  "{information_schema,bucardo,bucardo_machine}", err)
			: json_object();
	return check->columns != NULL ? 0 : bm_error_wrap(err, "reading generated columns");
}

bool bm_columns_are_stale(const struct bm_table_check *check, const char *table)
{
	const json_t *applied = json_object_get(check->applied, table);
	const json_t *columns = json_object_get(check->columns, table);

	if (json_is_null(applied) || (applied == NULL && columns == NULL)) {
		return false;
	}
	return applied == NULL || columns == NULL || !json_equal(applied, columns);
}

int bm_columns_renew(struct bm_table_check *check, const char *table, struct bm_error *err)
{
	struct bm_phase *phase = check->pass->phase;
	const char *columns = json_string_value(json_object_get(check->columns, table));
	const char *const params[] = {
			phase->request.name, table, columns != NULL ? columns : ""};
	int rc = 0;

	/* Without such rows all columns were applied, or the run failed. */
	if (json_object_get(check->applied, table) != NULL) {
		rc = bm_resend_request_rows(check->pass, table, err);
	}
	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(renew_steps); i++) {
		rc = bm_phase_do(phase, BM_SIDE_CONTROL, renew_steps[i], 3, params, err);
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "renewing the columns of %s", table);
}
