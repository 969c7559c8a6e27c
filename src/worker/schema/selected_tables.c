/* One statement about the catalog of the source. */
#include "worker/schema/selected_tables.h"

#include <stdlib.h>

#include "bucardo_machine/table_filter.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"

/*
 * A key is the primary key, or else the unique index with the fewest columns that are
 * all NOT NULL (Bucardo itself would also take one with NULLs, and lose those rows).
 * An array cannot be part of it: Bucardo would compare Perl's address of its value.
 * Columns that older servers do not have are read through to_jsonb().
 *
 * Names: Bucardo makes the name of a delta table in two ways that differ when a quoted
 * name is longer than 57 characters, it counts characters where the server counts bytes,
 * it writes names between plain quotes and into
 * regular expressions, and it joins schema and table with the same '_' that may be
 * part of them: of two tables that read the same then, the one that is captured keeps the
 * place ($2), or anybody who may make a table could put another one out of step. Beside the
 * columns of the key a delta table has a column txntime, and of the words DBGROUP and
 * TARGETNAME in a statement the first is replaced.
 */
/* clang-format off */
static const char tables_sql[] =
"WITH t AS (SELECT n.*, CASE WHEN length(joined) > 57"
"   THEN substr(joined, 1, 46) || '!' || substr(md5(joined), 1, 10) ELSE joined END AS base"
"  FROM (SELECT c.oid, n.nspname, c.relname,"
"  quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS quoted,"
"  replace(n.nspname || '_' || c.relname, '.', '_') AS joined"
"  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
"  WHERE c.relkind = 'r' AND c.relpersistence <> 't'"
"  AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')"
"  AND c.oid <> ALL ($1::oid[])"
"  AND n.nspname !~ '^pg_' AND NOT EXISTS (SELECT 1 FROM pg_depend d"
"   WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')) n),"
" keys AS (SELECT DISTINCT ON (i.indrelid) i.indrelid,"
"   string_agg(a.attname, '|' ORDER BY k.n) AS key,"
"   string_agg(quote_ident(a.attname), '|' ORDER BY k.n) AS quoted,"
"   string_agg(CASE y.typname WHEN 'int2' THEN 'smallint' WHEN 'int4' THEN 'integer'"
"    WHEN 'int8' THEN 'bigint' ELSE y.typname END, '|' ORDER BY k.n) AS types, array_agg(a.atttypid) AS kinds"
"  FROM pg_index i"
"  CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)"
"  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
"  JOIN pg_type y ON y.oid = a.atttypid"
"  WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL"
"  AND k.n <= coalesce((to_jsonb(i)->>'indnkeyatts')::int, i.indnatts)"
"  AND NOT EXISTS (SELECT 1 FROM unnest(i.indclass::oid[]) o(oid) JOIN pg_opclass f ON f.oid = o.oid"
"   AND f.opcname = 'record_image_ops')"
"  GROUP BY i.indexrelid, i.indrelid, i.indisprimary"
"  HAVING bool_and(a.attnotnull AND y.typcategory <> 'A')"
"  ORDER BY i.indrelid, i.indisprimary DESC, count(*), i.indexrelid),"
" made AS (SELECT t.oid, count(*) OVER place AS twins, t.quoted = ANY ($2::text[])"
"   AND count(*) FILTER (WHERE t.quoted = ANY ($2::text[])) OVER place = 1 AS keeps"
"  FROM t WINDOW place AS (PARTITION BY t.base))"
" SELECT t.oid, t.nspname, t.relname, t.quoted, coalesce(k.key, ''), coalesce(k.quoted, ''),"
" coalesce(k.types, ''),"
BM_CHOSEN_COLUMNS("t.oid") ","
" CASE WHEN k.key IS NULL THEN 'it has no primary key and no unique index over NOT NULL columns"
" (arrays do not count), by which Bucardo could tell its rows apart'"
"  WHEN t.quoted LIKE '%\"%' AND length(t.quoted) > 57 THEN"
"   'its quoted name is longer than 57 characters: Bucardo would look for its changes under"
" another name'"
"  WHEN octet_length(t.base) > 57 THEN"
"   'schema and name together take more than 57 bytes: Bucardo counts characters, and the server would cut"
" the name of the table of its changes'"
"  WHEN t.nspname ~ '[\"\\\\]' OR t.relname ~ '[\"\\\\]' THEN"
"   'Bucardo cannot handle a quote or backslash in a name'"
"  WHEN t.joined ~ '[][(){}^$*+?|]' THEN"
"   'Bucardo would read a character of its name as part of a search pattern'"
"  WHEN k.quoted LIKE '%\"\"%' OR length(k.key) - length(replace(k.key, '|', ''))"
"   <> length(k.types) - length(replace(k.types, '|', '')) OR k.key ~ '[\"\\\\]' THEN"
"   'Bucardo cannot handle a quote, backslash or bar in the name of a key column'"
"  WHEN '|' || k.key || '|' LIKE '%|txntime|%' THEN"
"   'a column of its key is called txntime, as the column in which Bucardo keeps the time of"
" a change'"
"  WHEN k.key || t.joined ~ 'DBGROUP|TARGETNAME' THEN"
"   'Bucardo would take a part of the name of the table or of a key column for a place to"
" fill in'"
"  WHEN made.twins > 1 AND NOT made.keeps THEN 'Bucardo would keep its changes and those of another table in one"
" place: schema and table joined by _ read the same'"
"  WHEN EXISTS (WITH RECURSIVE part(oid, inside) AS (SELECT u.oid, false FROM unnest(k.kinds) u(oid)"
"   UNION SELECT x.oid, x.inside FROM part JOIN pg_type y ON y.oid = part.oid CROSS JOIN LATERAL ("
"    SELECT y.typbasetype, part.inside WHERE y.typtype = 'd'"
"    UNION ALL SELECT y.typelem, true WHERE y.typtype = 'b' AND y.typelem <> 0"
"    UNION ALL SELECT a.atttypid, true FROM pg_attribute a WHERE y.typtype = 'c'"
"     AND a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped"
"    UNION ALL SELECT g.rngsubtype, true FROM pg_range g WHERE y.oid = g.rngtypid"
"     OR y.oid::text = to_jsonb(g)->>'rngmultitypid') x(oid, inside))"
"   SELECT 1 FROM part JOIN pg_type y ON y.oid = part.oid WHERE part.inside AND y.typtype = 'd') THEN"
"   'a type of its key has a domain inside: the checks of the domain would run with the rights of the"
" machine whenever a value of the key is read'"
/* Its delta table has an index of the key, in which the same key stands twice: the server would compare
 * each part, which the index of the table need not do. */
"  WHEN EXISTS (WITH RECURSIVE part(oid) AS (SELECT u.oid FROM unnest(k.kinds) u(oid)"
"   UNION SELECT x.oid FROM part JOIN pg_type y ON y.oid = part.oid CROSS JOIN LATERAL ("
"    SELECT y.typbasetype WHERE y.typtype = 'd'"
"    UNION ALL SELECT y.typelem WHERE y.typcategory = 'A'"
"    UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE y.typtype = 'c'"
"     AND a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped) x(oid))"
"   SELECT 1 FROM part JOIN pg_type y ON y.oid = part.oid AND y.typtype = 'b' AND y.typcategory <> 'A'"
"   WHERE NOT EXISTS (SELECT 1 FROM pg_opclass f JOIN pg_am h ON h.oid = f.opcmethod AND h.amname = 'btree'"
"    WHERE f.opcdefault AND (f.opcintype = y.oid OR EXISTS (SELECT 1 FROM pg_cast s WHERE s.castsource = y.oid"
"     AND s.casttarget = f.opcintype AND s.castmethod = 'b')))) THEN"
"   'a part of its key is of a type whose values cannot be compared: Bucardo could not tell its rows apart'"
"  ELSE '' END,"
" CASE WHEN k.key IS NULL THEN 'ALTER TABLE ' || t.quoted || coalesce((SELECT string_agg("
"    ' ALTER COLUMN ' || quote_ident(a.attname) || ' SET NOT NULL', ',' ORDER BY a.attnum)"
"   FROM pg_attribute a WHERE a.attrelid = t.oid AND NOT a.attnotnull AND a.attnum = ANY ("
"    (SELECT i.indkey::int2[] FROM pg_index i WHERE i.indrelid = t.oid AND i.indisunique"
"     AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL"
"     ORDER BY i.indnatts, i.indexrelid LIMIT 1)::int2[])), ' ADD PRIMARY KEY (...) over columns that"
" are unique; or ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, which rewrites it')"
"  ELSE 'rename it, or copy it again inside the freeze' END"
" FROM t JOIN made USING (oid) LEFT JOIN keys k ON k.indrelid = t.oid"
" ORDER BY t.nspname COLLATE \"C\", t.relname COLLATE \"C\"";

/* Whether it can be read, and is no view whose functions would run with our rights (FOREIGN_SCHEMA in
 * preflight_servers.c). Triggers do not count: anybody may call his by that name. */
static const char can_read_sql[] =
"SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
"  JOIN pg_roles s ON s.oid = n.nspowner JOIN pg_roles o ON o.oid = c.relowner"
"  JOIN pg_roles m ON m.rolname = current_user WHERE n.nspname = 'bucardo'"
"  AND c.relname = 'bucardo_delta_names' AND c.relkind = 'r' AND has_schema_privilege(n.oid, 'USAGE')"
"  AND has_table_privilege(c.oid, 'SELECT') AND (NOT m.rolsuper OR s.rolsuper AND o.rolsuper))";
static const char captured_sql[] =
"SELECT coalesce(array_agg(DISTINCT tablename), '{}') FROM bucardo.bucardo_delta_names";
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
	const struct bm_table_filter *choice = &phase->request.choice;

	if (!bm_table_filter_is_made(choice)) {
		return PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	}
	char *param = bm_table_filter_param(choice);
	PGresult *rows = bm_phase_ask(phase, phase->catalog, bm_table_filter_sql, 1,
			(const char *const *)&param, err);
	free(param);
	if (rows == NULL) {
		bm_error_wrap(err, "choosing the tables of the %s",
				bm_end_name(phase->catalog));
	}
	return rows;
}

char *bm_selected_outside(struct bm_phase *phase, struct bm_error *err)
{
	PGresult *choice = bm_selected_filter(phase, err);
	char *outside = choice != NULL ? bm_table_filter_out(choice) : NULL;

	PQclear(choice);
	return outside;
}

/* Those that are captured, by whomever, as a literal of text[]; NULL with `err`. */
static char *read_captured(struct bm_phase *phase, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(phase, phase->catalog, can_read_sql, 0, NULL, err);
	bool can_read = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';
	char *list = rows != NULL && !can_read ? bm_strdup("{}") : NULL;

	PQclear(rows);
	if (can_read) {
		rows = bm_phase_ask(phase, phase->catalog, captured_sql, 0, NULL, err);
		list = rows != NULL ? bm_strdup(PQgetvalue(rows, 0, 0)) : NULL;
		PQclear(rows);
	}
	return list;
}

static PGresult *read_tables(struct bm_phase *phase, struct bm_error *err)
{
	char *outside = bm_selected_outside(phase, err);
	char *captured = outside != NULL ? read_captured(phase, err) : NULL;
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
				bm_end_name(phase->catalog));
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
