/* One statement for both ends, and the comparison of what it gives. */
#include "worker/tend_drift.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"

/* ---- what a server has ---- */

/* clang-format off */
#define TABLES \
	"WITH RECURSIVE t AS (SELECT c.oid," \
	"  quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name" \
	"  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace" \
	"  WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'" \
	"  AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine'))"

#define COLUMNS \
	" FROM t LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0" \
	"  AND NOT a.attisdropped" \
	" LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"

#define KEY \
	"(SELECT string_agg(quote_ident(k.attname), ', ' ORDER BY x.n) FROM pg_constraint p" \
	" CROSS JOIN LATERAL unnest(p.conkey) WITH ORDINALITY AS x(num, n)" \
	" JOIN pg_attribute k ON k.attrelid = p.conrelid AND k.attnum = x.num" \
	" WHERE p.conrelid = t.oid AND p.contype = 'p')"

/* Servers before version 12 lack them both, or one; reading whole rows takes its time. */
#define OLD_GENERATED "coalesce(to_jsonb(a)->>'attgenerated', '')"
#define OLD_IDENTITY "coalesce(to_jsonb(a)->>'attidentity', '')"
#define BOTH_SINCE 120000

#define FINGERPRINTS(generated, identity) \
	TABLES \
	" SELECT t.name, md5(coalesce(string_agg(concat_ws(E'\\x01', a.attname," \
	" format_type(a.atttypid, a.atttypmod), a.attnotnull, " generated ", " identity "," \
	" CASE WHEN $1 THEN pg_get_expr(d.adbin, d.adrelid) ELSE (d.oid IS NOT NULL)::text END)," \
	" E'\\x02' ORDER BY a.attname COLLATE \"C\"), '') || E'\\x03' || coalesce(" KEY ", ''))" \
	" || CASE WHEN bool_or(" generated " <> '') THEN '" BM_DRIFT_GENERATED "' ELSE '' END" \
	COLUMNS " GROUP BY t.oid, t.name"

/* A column that is inherited is altered at the top of the tree. */
#define DEFINITIONS(generated, identity) \
	TABLES \
	", up AS (SELECT t.oid AS leaf, t.oid, 0 AS depth FROM t WHERE t.name = ANY ($1::text[])" \
	"  UNION ALL SELECT up.leaf, i.inhparent, up.depth + 1 FROM up" \
	"  JOIN pg_inherits i ON i.inhrelid = up.oid WHERE up.depth < 50)" \
	" SELECT t.name, json_build_object('key', " KEY ", 'top', (SELECT quote_ident(n.nspname)" \
	"   || '.' || quote_ident(c.relname) FROM up JOIN pg_class c ON c.oid = up.oid" \
	"   JOIN pg_namespace n ON n.oid = c.relnamespace" \
	"   WHERE up.leaf = t.oid ORDER BY up.depth DESC LIMIT 1), 'columns'," \
	" json_object_agg(a.attname, json_build_object('name', quote_ident(a.attname)," \
	"  'type', format_type(a.atttypid, a.atttypmod), 'required', a.attnotnull," \
	"  'inherited', a.attinhcount > 0, 'generated', " generated ", 'identity', " identity "," \
	"  'default', pg_get_expr(d.adbin, d.adrelid))) FILTER (WHERE a.attname IS NOT NULL))" \
	COLUMNS " WHERE t.name = ANY ($1::text[]) GROUP BY t.oid, t.name"

static const char *const fingerprints_sql[] = {
	FINGERPRINTS(OLD_GENERATED, OLD_IDENTITY), FINGERPRINTS("a.attgenerated", "a.attidentity")};
static const char *const definitions_sql[] = {
	DEFINITIONS(OLD_GENERATED, OLD_IDENTITY), DEFINITIONS("a.attgenerated", "a.attidentity")};
/* clang-format on */

static PGresult *ask(struct bm_phase *phase, enum bm_end end, const char *const sql[2],
		const char *parameter, struct bm_error *err)
{
	const PGconn *conn = bm_phase_conn(phase, end, err);

	return conn == NULL ? NULL
			    : bm_phase_ask(phase, end, sql[PQserverVersion(conn) >= BOTH_SINCE],
					      1, &parameter, err);
}

json_t *bm_drift_fingerprints(
		struct bm_phase *phase, enum bm_end end, bool exact, struct bm_error *err)
{
	PGresult *rows = ask(phase, end, fingerprints_sql, exact ? "t" : "f", err);
	json_t *all = rows != NULL ? json_object() : NULL;

	for (int row = 0; all != NULL && row < PQntuples(rows); row++) {
		json_object_set_new(all, PQgetvalue(rows, row, 0),
				json_string(PQgetvalue(rows, row, 1)));
	}
	PQclear(rows);
	return all;
}

/* {"a","b"}: an array of names as the literal of a text[]. */
static char *encode_names(const json_t *names)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	size_t index;
	const json_t *name;

	bm_strbuf_putc(&out, '{');
	json_array_foreach(names, index, name)
	{
		bm_strbuf_puts(&out, index > 0 ? ",\"" : "\"");
		for (const char *c = json_string_value(name); *c != '\0'; c++) {
			if (*c == '"' || *c == '\\') {
				bm_strbuf_putc(&out, '\\');
			}
			bm_strbuf_putc(&out, *c);
		}
		bm_strbuf_putc(&out, '"');
	}
	bm_strbuf_putc(&out, '}');
	return bm_strbuf_detach(&out);
}

json_t *bm_drift_definitions(struct bm_phase *phase, enum bm_end end, const json_t *names,
		struct bm_error *err)
{
	char *list = encode_names(names);
	PGresult *rows = ask(phase, end, definitions_sql, list, err);
	json_t *all = rows != NULL ? json_object() : NULL;

	for (int row = 0; all != NULL && row < PQntuples(rows); row++) {
		json_object_set_new(all, PQgetvalue(rows, row, 0),
				json_loads(PQgetvalue(rows, row, 1), 0, NULL));
	}
	PQclear(rows);
	free(list);
	return all;
}

/* ---- the comparison ---- */

struct comparison {
	const char *table;
	const char *top; /* where columns that are inherited are altered */
	bool exact, breaks, rewritten;
	json_t *out;
};

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text != NULL ? text : "";
}

static bool is_same(const json_t *a, const json_t *b, const char *member)
{
	return strcmp(text_of(a, member), text_of(b, member)) == 0;
}

static bool is_true(const json_t *object, const char *member)
{
	return json_is_true(json_object_get(object, member));
}

/* Takes over both texts. */
static void add(struct comparison *it, char *difference, char *mend, bool breaks)
{
	json_array_append_new(it->out,
			json_pack("{s:s, s:o, s:o, s:b}", "table", it->table, "difference",
					bm_json_text(difference), "mend", bm_json_text(mend),
					"breaks", breaks));
	it->breaks = it->breaks || breaks;
	free(difference);
	free(mend);
}

static const char *altered(const struct comparison *it, const json_t *column)
{
	return is_true(column, "inherited") && it->top[0] != '\0' ? it->top : it->table;
}

/* "name type GENERATED ... NOT NULL", as ADD COLUMN wants it. */
static char *column_text(const json_t *column)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	const char *value = text_of(column, "default");
	const char *identity = text_of(column, "identity");

	bm_strbuf_printf(&text, "%s %s", text_of(column, "name"), text_of(column, "type"));
	if (text_of(column, "generated")[0] != '\0') {
		bm_strbuf_printf(&text, " GENERATED ALWAYS AS (%s) STORED", value);
	} else if (identity[0] != '\0') {
		bm_strbuf_printf(&text, " GENERATED %s AS IDENTITY",
				identity[0] == 'a' ? "ALWAYS" : "BY DEFAULT");
	} else if (value[0] != '\0') {
		bm_strbuf_printf(&text, " DEFAULT %s", value);
	}
	if (is_true(column, "required")) {
		bm_strbuf_puts(&text, " NOT NULL");
	}
	return bm_strbuf_detach(&text);
}

/* A default that is computed gives each existing row a value of its own. */
static bool is_computed(const json_t *column)
{
	const char *value = text_of(column, "default");

	/* One that is generated gets the same on both sides. */
	return text_of(column, "generated")[0] == '\0' &&
			(strchr(value, '(') != NULL || strstr(value, "CURRENT_") != NULL ||
					text_of(column, "identity")[0] != '\0');
}

static void on_source_only(struct comparison *it, const json_t *column)
{
	char *text = column_text(column);

	add(it, bm_format("column %s is on the source only", text_of(column, "name")),
			bm_format("on the destination: ALTER TABLE %s ADD COLUMN %s",
					altered(it, column), text),
			true);
	it->rewritten = it->rewritten || is_computed(column);
	free(text);
}

/* Rows come without it: what it needs must come by itself. */
static void on_destination_only(struct comparison *it, const json_t *column)
{
	bool fills = !is_true(column, "required") || text_of(column, "default")[0] != '\0' ||
			text_of(column, "identity")[0] != '\0' ||
			text_of(column, "generated")[0] != '\0';

	add(it, bm_format("column %s is on the destination only", text_of(column, "name")),
			bm_format("on the destination: ALTER TABLE %s DROP COLUMN %s; or add it to "
				  "the source",
					altered(it, column), text_of(column, "name")),
			!fills);
}

static void compare_required(struct comparison *it, const json_t *s, const json_t *d)
{
	bool needed = is_true(s, "required");
	const char *verb = needed ? "SET" : "DROP";

	if (needed != is_true(d, "required")) {
		add(it,
				bm_format("column %s is NOT NULL on the %s only",
						text_of(s, "name"),
						needed ? "source" : "destination"),
				bm_format("on the destination: ALTER TABLE %s ALTER COLUMN %s %s "
					  "NOT NULL",
						altered(it, d), text_of(s, "name"), verb),
				!needed);
	}
}

/* Of no meaning for what is replicated, but for applications after a cutover. */
static void compare_default(struct comparison *it, const json_t *s, const json_t *d)
{
	const char *value = text_of(s, "default");
	bool differs = it->exact ? !is_same(s, d, "default")
				 : (value[0] != '\0') != (text_of(d, "default")[0] != '\0');

	if (differs) {
		add(it, bm_format("column %s has another default", text_of(s, "name")),
				bm_format("on the destination: ALTER TABLE %s ALTER COLUMN %s %s%s",
						altered(it, d), text_of(s, "name"),
						value[0] != '\0' ? "SET DEFAULT "
								 : "DROP DEFAULT",
						value),
				false);
	}
}

static void compare_kind(struct comparison *it, const json_t *s, const json_t *d)
{
	char *text = column_text(s);
	const char *name = text_of(s, "name"), *table = altered(it, d);

	if (!is_same(s, d, "generated") ||
			(text_of(s, "generated")[0] != '\0' && it->exact &&
					!is_same(s, d, "default"))) {
		add(it, bm_format("column %s is generated otherwise", name),
				bm_format("on the destination: ALTER TABLE %s DROP COLUMN %s, ADD "
					  "COLUMN %s",
						table, name, text),
				true);
		it->rewritten = true;
	} else if (!is_same(s, d, "identity")) {
		add(it, bm_format("column %s is an identity on one side, or of another kind", name),
				bm_format("on the destination: make it as in ALTER TABLE %s ALTER "
					  "COLUMN %s",
						table, text),
				false);
	} else {
		compare_default(it, s, d);
	}
	free(text);
}

static void compare_column(struct comparison *it, const json_t *s, const json_t *d)
{
	if (!is_same(s, d, "type")) {
		add(it,
				bm_format("column %s is %s on the source and %s on the destination",
						text_of(s, "name"), text_of(s, "type"),
						text_of(d, "type")),
				bm_format("on the destination: ALTER TABLE %s ALTER COLUMN %s TYPE "
					  "%s",
						altered(it, d), text_of(s, "name"),
						text_of(s, "type")),
				true);
		it->rewritten = true;
	}
	compare_required(it, s, d);
	compare_kind(it, s, d);
}

static void compare_columns(struct comparison *it, const json_t *source, const json_t *dest)
{
	bool added = false, gone = false;
	const char *name;
	json_t *column;

	json_object_foreach((json_t *)(uintptr_t)source, name, column)
	{
		const json_t *other = json_object_get(dest, name);
		added = added || other == NULL;
		if (other == NULL) {
			on_source_only(it, column);
		} else {
			compare_column(it, column, other);
		}
	}
	json_object_foreach((json_t *)(uintptr_t)dest, name, column)
	{
		if (json_object_get(source, name) == NULL) {
			gone = true;
			on_destination_only(it, column);
		}
	}
	/* Perhaps renamed: then rows have values that no trigger saw. */
	it->rewritten = it->rewritten || (added && gone);
	if (added && gone) {
		add(it, bm_strdup("perhaps a column was renamed"),
				bm_format("on the destination: ALTER TABLE %s RENAME COLUMN ... TO "
					  "... in place of the above, if it was",
						it->table),
				true);
	}
}

static void compare_key(struct comparison *it, const json_t *source, const json_t *dest)
{
	const char *key = text_of(source, "key");

	if (!is_same(source, dest, "key")) {
		add(it,
				bm_format("its primary key is (%s) on the source and (%s) on the "
					  "destination",
						key, text_of(dest, "key")),
				key[0] != '\0' ? bm_format("on the destination: ALTER TABLE %s ADD "
							   "PRIMARY KEY (%s), in place of the one "
							   "there is",
								 it->table, key)
					       : bm_format("on the source: ALTER TABLE %s ADD "
							   "PRIMARY KEY (%s)",
								 it->table,
								 text_of(dest, "key")),
				true);
	}
}

bool bm_drift_compare(const char *table, const json_t *source, const json_t *destination,
		bool exact, json_t *out, bool *rewritten)
{
	struct comparison it = {.table = table,
			.top = text_of(source, "top"),
			.exact = exact,
			.out = out};

	if (source == NULL && destination != NULL) {
		add(&it, bm_strdup("the source has no such table any more"),
				bm_format("on the destination: DROP TABLE %s", table), true);
	} else if (source != NULL && destination == NULL) {
		add(&it, bm_strdup("the destination has no such table any more"),
				bm_format("make it there: pg_dump --schema-only --table='%s' of the "
					  "source",
						table),
				true);
		it.rewritten = true;
	} else if (source != NULL) {
		compare_columns(&it, json_object_get(source, "columns"),
				json_object_get(destination, "columns"));
		compare_key(&it, source, destination);
	}
	*rewritten = it.rewritten;
	return it.breaks;
}
