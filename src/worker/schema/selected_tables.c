/* One statement about the catalog of the source. */
#include "worker/schema/selected_tables.h"

#include <stdlib.h>

#include "bucardo_machine/table_filter.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "worker/deltas/captured.h"

/* clang-format off */
static const char tables_sql[] =
#include "worker/schema/sql/selected_tables.sql.inc"
;
/* clang-format on */

static void take_table(struct bm_selected_table *table, const PGresult *rows, int row)
{
	char **const fields[] = {&table->oid, &table->schema, &table->name, &table->quoted,
			&table->key, &table->key_quoted, &table->key_types, &table->columns,
			&table->left_out, &table->hint};

	for (size_t i = 0; i < BM_COUNT_OF(fields); i++) {
		*fields[i] = bm_strdup(PQgetvalue(rows, row, (int)i));
	}
}

PGresult *bm_selected_filter(struct bm_phase *phase, struct bm_error *err)
{
	const struct bm_table_filter *filter = &phase->request.filter;

	if (!bm_table_filter_is_made(filter)) {
		return PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	}
	char *param = bm_table_filter_param(filter);
	PGresult *rows = bm_phase_ask(phase, phase->catalog, bm_table_filter_sql, 1,
			(const char *const *)&param, err);
	free(param);
	if (rows == NULL) {
		bm_error_wrap(err, "choosing the tables of the %s",
				bm_side_name(phase->catalog));
	}
	return rows;
}

char *bm_selected_outside(struct bm_phase *phase, enum bm_side side, struct bm_error *err)
{
	enum bm_side catalog = phase->catalog;

	phase->catalog = side;
	PGresult *filter = bm_selected_filter(phase, err);
	phase->catalog = catalog;
	char *outside = filter != NULL ? bm_table_filter_out(filter) : NULL;

	PQclear(filter);
	return outside;
}

static PGresult *read_tables(struct bm_phase *phase, struct bm_error *err)
{
	char *outside = bm_selected_outside(phase, phase->catalog, err);
	char *captured = outside != NULL ? bm_captured_tables(phase, phase->catalog, err)
					 : NULL;
	const char *const params[] = {outside, captured};
	PGresult *rows = captured != NULL
			? bm_phase_ask(phase, phase->catalog, tables_sql, 2, params, err)
			: NULL;

	free(outside);
	free(captured);
	return rows;
}

int bm_selected_read(struct bm_phase *phase, struct bm_selected *out, struct bm_error *err)
{
	PGresult *rows = read_tables(phase, err);

	*out = (struct bm_selected){0};
	if (rows == NULL) {
		return bm_error_wrap(err, "reading the tables of the %s",
				bm_side_name(phase->catalog));
	}
	out->tables = bm_alloc(((size_t)PQntuples(rows) + 1) * sizeof(*out->tables));
	for (int row = 0; row < PQntuples(rows); row++) {
		take_table(&out->tables[out->count++], rows, row);
	}
	PQclear(rows);
	return 0;
}

void bm_selected_finish(struct bm_selected *tables)
{
	for (size_t i = 0; i < tables->count; i++) {
		const struct bm_selected_table *t = &tables->tables[i];
		char *const texts[] = {t->oid, t->schema, t->name, t->quoted, t->key,
				t->key_quoted, t->key_types, t->columns, t->left_out, t->hint};
		for (size_t j = 0; j < BM_COUNT_OF(texts); j++) {
			free(texts[j]);
		}
	}
	free(tables->tables);
	*tables = (struct bm_selected){0};
}

char *bm_selected_oids(const struct bm_selected *tables)
{
	struct bm_strbuf list = BM_STRBUF_INIT;

	for (size_t i = 0; i < tables->count; i++) {
		bm_quote_array_add(&list, tables->tables[i].oid);
	}
	return bm_quote_array_end(&list);
}
