/* Two questions to the source's catalog: which tables, and what key has a big one. */
#include "worker/transfer/source_catalog.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "worker/session/connect.h"

/* clang-format off */
static const char tables_sql[] =
#include "worker/transfer/sql/source_tables.sql.inc"
;
/* clang-format on */

/* clang-format off */
static const char key_sql[] =
#include "worker/transfer/sql/source_key.sql.inc"
;
/* clang-format on */

int bm_tables_read(PGconn *source, const char *outside, struct bm_tables *out,
		struct bm_error *err)
{
	PGresult *rows = bm_sql_params(source, tables_sql, 1, &outside, err);

	*out = (struct bm_tables){0};
	if (rows == NULL) {
		return bm_error_wrap(err, "reading the source's tables");
	}
	out->count = (size_t)PQntuples(rows);
	out->list = bm_alloc((out->count + 1) * sizeof(*out->list));
	for (int i = 0; i < PQntuples(rows); i++) {
		out->list[i] = (struct bm_table){
				.oid = (unsigned)strtoul(PQgetvalue(rows, i, 0), NULL, 10),
				.name = bm_strdup(PQgetvalue(rows, i, 1)),
				.bytes = strtoull(PQgetvalue(rows, i, 2), NULL, 10),
				.pages = strtoull(PQgetvalue(rows, i, 3), NULL, 10),
				.columns = bm_strdup(PQgetvalue(rows, i, 4)),
				.binary = (enum bm_binary)strtoul(
						PQgetvalue(rows, i, 5), NULL, 10),
				.filter = bm_strdup(PQgetvalue(rows, i, 6)),
				.rows = strtoull(PQgetvalue(rows, i, 7), NULL, 10),
		};
	}
	PQclear(rows);
	return 0;
}

/* clang-format off */
static const char late_sql[] =
#include "worker/transfer/sql/late_tables.sql.inc"
;
/* clang-format on */

int bm_tables_flag_late(PGconn *source, struct bm_tables *tables, struct bm_error *err)
{
	PGresult *rows = bm_sql(source, late_sql, err);

	if (rows == NULL) {
		return bm_error_wrap(err, "looking for tables whose rows call functions");
	}
	for (int row = 0; row < PQntuples(rows); row++) {
		unsigned oid = (unsigned)strtoul(PQgetvalue(rows, row, 0), NULL, 10);
		for (size_t i = 0; i < tables->count; i++) {
			tables->list[i].is_late = tables->list[i].is_late ||
					tables->list[i].oid == oid;
		}
	}
	PQclear(rows);
	return 0;
}

void bm_tables_finish(struct bm_tables *tables)
{
	for (size_t i = 0; i < tables->count; i++) {
		free(tables->list[i].name);
		free(tables->list[i].columns);
		free(tables->list[i].filter);
	}
	free(tables->list);
	*tables = (struct bm_tables){0};
}

const struct bm_table *bm_tables_find(const struct bm_tables *tables, const char *name)
{
	for (size_t i = 0; i < tables->count; i++) {
		if (strcmp(tables->list[i].name, name) == 0) {
			return &tables->list[i];
		}
	}
	return NULL;
}

int bm_key_read(PGconn *source, unsigned table_oid, struct bm_key *out, struct bm_error *err)
{
	char oid[16];
	const char *params[] = {oid};

	*out = (struct bm_key){0};
	snprintf(oid, sizeof(oid), "%u", table_oid);
	PGresult *rows = bm_sql_params(source, key_sql, 1, params, err);
	if (rows == NULL) {
		return bm_error_wrap(err, "looking for a key");
	}
	for (int i = 0; i < PQntuples(rows) && out->count < BM_COUNT_OF(out->columns); i++) {
		out->columns[out->count] = bm_strdup(PQgetvalue(rows, i, 0));
		out->types[out->count++] = bm_strdup(PQgetvalue(rows, i, 1));
	}
	PQclear(rows);
	return 0;
}

void bm_key_finish(struct bm_key *key)
{
	for (size_t i = 0; i < key->count; i++) {
		free(key->columns[i]);
		free(key->types[i]);
	}
	*key = (struct bm_key){0};
}
