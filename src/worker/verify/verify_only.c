#include "worker/verify/verify_only.h"

#include <jansson.h>
#include <stdlib.h>

/* clang-format off */
static const char others_sql[] =
#include "worker/verify/sql/verify_only.sql.inc"
;
/* clang-format on */

static int add_named(PGconn *conn, const struct bm_table_filter *only, json_t *names,
		struct bm_error *err)
{
	char *param = bm_table_filter_param(only);
	const char *const params[] = {param};
	PGresult *rows = bm_pair_ask_one(conn, bm_table_filter_sql, 1, params, err);
	char *out = rows != NULL ? bm_table_filter_out(rows) : NULL;
	const char *const outside[] = {out};
	PGresult *others = out != NULL ? bm_pair_ask_one(conn, others_sql, 1, outside, err)
				       : NULL;

	for (int row = 0; others != NULL && row < PQntuples(others); row++) {
		json_object_set_new(names, PQgetvalue(others, row, 0), json_true());
	}
	int rc = others != NULL ? 0 : -1;
	PQclear(others);
	free(out);
	PQclear(rows);
	free(param);
	return rc;
}

json_t *bm_verify_only(struct bm_pair *pair, const struct bm_verify_options *options,
		const struct bm_verify_catalog *catalog, struct bm_error *err)
{
	if (options->only == NULL || !bm_table_filter_is_made(options->only)) {
		return json_null();
	}
	json_t *names = json_object();
	for (size_t i = 0; i < catalog->count; i++) {
		json_object_set_new(names, catalog->tables[i].name, json_true());
	}
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		if (add_named(pair->main[side], options->only, names, err) != 0) {
			json_decref(names);
			return NULL;
		}
	}
	return names;
}
