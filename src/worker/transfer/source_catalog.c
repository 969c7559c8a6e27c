/* Two questions to the source's catalog: which tables, and what key has a big one. */
#include "worker/transfer/source_catalog.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "worker/session/connect.h"

#define QUOTED(name) "'\"' || replace(" name ", '\"', '\"\"') || '\"'"

/*
 * May the values of type `t` travel in binary? Types of PostgreSQL itself: yes, but
 * for those whose binary form is an OID or depends on a setting. Enums travel as
 * their label. All else as text: arrays and composites of user types hold OIDs,
 * an extension's format may differ between its versions.
 */
#define BINARY_OF(t)                                                                           \
	"CASE WHEN " t ".typtype = 'e' THEN 2"                                                 \
	" WHEN " t ".typtype NOT IN ('b', 'r', 'm') OR " t ".oid >= 16384"                     \
	" OR " t ".typsend = 0 OR " t ".typreceive = 0"                                        \
	" OR " t ".typname ~ '^_?(reg.*|money|xml|aclitem|refcursor|pg_.*)$' THEN 0"           \
	" WHEN " t ".typname ~ '^(bool|bytea|date|float[48]|int[248]|numeric|text|time"        \
	"|timestamp|timestamptz|uuid|varchar|bpchar|interval)$' THEN 2 ELSE 1 END"

/* %1$s is the condition that leaves stored generated columns out, where they exist. */
/* clang-format off */
static const char tables_sql[] =
		"SELECT c.oid, " QUOTED("n.nspname") " || '.' || " QUOTED("c.relname") ","
		" pg_table_size(c.oid), pg_relation_size(c.oid) / 8192,"
		" coalesce(a.columns, ''), coalesce(a.binary, 1),"
		" coalesce(e.extcondition[array_position(e.extconfig, c.oid)], ''),"
		" CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN"
		"  (c.reltuples / c.relpages * (pg_relation_size(c.oid) / 8192))::bigint ELSE 0 END"
		" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
		" LEFT JOIN pg_extension e ON c.oid = ANY (e.extconfig)"
		" LEFT JOIN (SELECT a.attrelid,"
		"   string_agg(" QUOTED("a.attname") ", ', ' ORDER BY a.attnum) AS columns,"
		"   min(CASE WHEN t.typtype = 'd' THEN " BINARY_OF("b") " ELSE " BINARY_OF("t") " END) AS binary"
		"   FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
		"   LEFT JOIN pg_type b ON b.oid = t.typbasetype"
		"   WHERE a.attnum > 0 AND NOT a.attisdropped%s GROUP BY 1) a ON a.attrelid = c.oid"
		" WHERE c.relkind = 'r' AND c.relpersistence IN ('p', 'u')"
		" AND c.oid <> ALL ($1::oid[])"
		" AND n.nspname !~ '^pg_'"
		" AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')"
		" AND (e.oid IS NOT NULL OR NOT EXISTS (SELECT 1 FROM pg_depend d"
		"   WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))"
		" ORDER BY 3 DESC, 2";
/* clang-format on */

/* Of a domain what it stands for: its checks would run on the source with our rights. */
/* clang-format off */
static const char key_sql[] =
		"SELECT " QUOTED("a.attname") ", CASE WHEN y.typtype = 'd' THEN format_type(y.typbasetype, y.typtypmod)"
		"   ELSE format_type(a.atttypid, a.atttypmod) END"
		" FROM (SELECT i.indkey, i.indrelid, i.%s AS width FROM pg_index i"
		"   JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam"
		"   WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid"
		"   AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL"
		"   AND m.amname = 'btree' AND NOT EXISTS (SELECT 1"
		"     FROM generate_series(0, i.%s - 1) g"
		"     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[g]"
		"     JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype"
		"     WHERE NOT a.attnotnull OR NOT coalesce(t.typtype = 'e' OR b.typtype = 'e'"
		"       OR (t.typtype = 'b' AND t.oid < 16384)"
		"       OR (t.typtype = 'd' AND b.typtype = 'b' AND b.oid < 16384), false))"
		"   ORDER BY i.indisprimary DESC, 3, i.indexrelid LIMIT 1) k"
		" CROSS JOIN LATERAL generate_series(0, k.width - 1) g"
		" JOIN pg_attribute a ON a.attrelid = k.indrelid AND a.attnum = k.indkey[g]"
		" JOIN pg_type y ON y.oid = a.atttypid ORDER BY g";
/* clang-format on */

int bm_tables_read(PGconn *source, const char *outside, struct bm_tables *out,
		struct bm_error *err)
{
	char *sql = bm_format(tables_sql,
			PQserverVersion(source) >= 120000 ? " AND a.attgenerated = ''" : "");
	PGresult *rows = bm_sql_params(source, sql, 1, &outside, err);

	free(sql);
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

int bm_tables_mark_late(PGconn *source, struct bm_tables *tables, struct bm_error *err)
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
	const char *width = PQserverVersion(source) >= 110000 ? "indnkeyatts" : "indnatts";
	char *sql = bm_format(key_sql, width, width);
	char oid[16];
	const char *params[] = {oid};

	*out = (struct bm_key){0};
	snprintf(oid, sizeof(oid), "%u", table_oid);
	PGresult *rows = bm_sql_params(source, sql, 1, params, err);
	free(sql);
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
