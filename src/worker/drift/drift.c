/* Two statements for both sides; columns and keys of what they give compared. */
#include "worker/drift/drift.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "worker/drift/compare.h"

/* ---- what a server has ---- */

/* clang-format off */
static const char fingerprints_sql[] =
#include "worker/drift/sql/drift_base.sql.inc"
#include "worker/drift/sql/drift_fingerprints.sql.inc"
;

static const char definitions_sql[] =
#include "worker/drift/sql/drift_base.sql.inc"
#include "worker/drift/sql/drift_definitions.sql.inc"
;
/* clang-format on */

json_t *bm_drift_fingerprints(
		struct bm_phase *phase, enum bm_side side, bool exact, struct bm_error *err)
{
	const char *const params[] = {NULL, exact ? "t" : "f", bm_side_name(side)};
	PGresult *rows = bm_phase_ask(phase, side, fingerprints_sql, 3, params, err);
	json_t *all = rows != NULL ? json_object() : NULL;

	for (int row = 0; all != NULL && row < PQntuples(rows); row++) {
		json_object_set_new(all, PQgetvalue(rows, row, 0),
				json_string(PQgetvalue(rows, row, 1)));
	}
	PQclear(rows);
	return all;
}

static char *encode_names(const json_t *names)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	size_t index;
	const json_t *name;

	json_array_foreach(names, index, name)
	{
		bm_quote_array_add(&out, json_string_value(name));
	}
	return bm_quote_array_end(&out);
}

json_t *bm_drift_definitions(struct bm_phase *phase, enum bm_side side, const json_t *names,
		bool exact, struct bm_error *err)
{
	char *list = encode_names(names);
	const char *const params[] = {list, exact ? "t" : "f", bm_side_name(side)};
	PGresult *rows = bm_phase_ask(phase, side, definitions_sql, 3, params, err);
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

const char *bm_compare_text(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text != NULL ? text : "";
}

bool bm_compare_is_same(const json_t *a, const json_t *b, const char *member)
{
	return strcmp(bm_compare_text(a, member), bm_compare_text(b, member)) == 0;
}

bool bm_compare_is_true(const json_t *object, const char *member)
{
	return json_is_true(json_object_get(object, member));
}

void bm_compare_add(struct bm_comparison *it, char *difference, char *hint, bool breaks)
{
	json_array_append_new(it->out,
			json_pack("{s:s, s:o, s:o, s:b}", "table", it->table, "difference",
					bm_json_text(difference), "hint", bm_json_text(hint),
					"breaks", breaks));
	it->breaks = it->breaks || breaks;
	free(difference);
	free(hint);
}

void bm_compare_flag(struct bm_comparison *it, const char *member)
{
	json_object_set_new(json_array_get(it->out, json_array_size(it->out) - 1), member,
			json_true());
}

static const char *altered(const struct bm_comparison *it, const json_t *column)
{
	return bm_compare_is_true(column, "inherited") && it->top[0] != '\0' ? it->top
									     : it->table;
}

/* "type COLLATE ...". */
static char *type_text(const json_t *column)
{
	const char *collation = bm_compare_text(column, "collation");

	return collation[0] == '\0'
			? bm_strdup(bm_compare_text(column, "type"))
			: bm_format("%s COLLATE %s", bm_compare_text(column, "type"),
					  collation);
}

/* "name type GENERATED ... NOT NULL", as ADD COLUMN wants it: a column that is filled by
 * nothing cannot be NOT NULL at once. */
static char *column_text(const json_t *column)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	const char *value = bm_compare_text(column, "default");
	const char *identity = bm_compare_text(column, "identity");
	const char *generated = bm_compare_text(column, "generated");
	char *type = type_text(column);

	bm_strbuf_printf(&text, "%s %s", bm_compare_text(column, "name"), type);
	if (generated[0] != '\0') {
		bm_strbuf_printf(&text, " GENERATED ALWAYS AS (%s) %s", value,
				generated[0] == 'v' ? "VIRTUAL" : "STORED");
	} else if (identity[0] != '\0') {
		bm_strbuf_printf(&text, " GENERATED %s AS IDENTITY",
				identity[0] == 'a' ? "ALWAYS" : "BY DEFAULT");
	} else if (value[0] != '\0') {
		bm_strbuf_printf(&text, " DEFAULT %s", value);
	}
	if (bm_compare_is_true(column, "required") &&
			(value[0] != '\0' || identity[0] != '\0')) {
		bm_strbuf_puts(&text, " NOT NULL");
	}
	free(type);
	return bm_strbuf_detach(&text);
}

static void on_live_only(struct bm_comparison *it, const json_t *column)
{
	char *text = column_text(column);

	bm_compare_add(it,
			bm_format("column %s is on the %s only",
					bm_compare_text(column, "name"), it->live),
			bm_format("on the %s: ALTER TABLE %s ADD COLUMN %s", it->follower,
					altered(it, column), text),
			true);
	it->rewritten = it->rewritten || !bm_compare_is_true(column, "filled");
	free(text);
}

/* Rows come without it: what it needs must come by itself. */
static void on_follower_only(struct bm_comparison *it, const json_t *column)
{
	bool fills = !bm_compare_is_true(column, "required") ||
			bm_compare_text(column, "default")[0] != '\0' ||
			bm_compare_text(column, "identity")[0] != '\0' ||
			bm_compare_text(column, "generated")[0] != '\0';

	bm_compare_add(it,
			bm_format("column %s is on the %s only",
					bm_compare_text(column, "name"), it->follower),
			bm_format("on the %s: ALTER TABLE %s DROP COLUMN %s; or add it to the "
				  "%s",
					it->follower, altered(it, column),
					bm_compare_text(column, "name"), it->live),
			!fills);
}

static void compare_required(struct bm_comparison *it, const json_t *l, const json_t *f)
{
	bool needed = bm_compare_is_true(l, "required");
	const char *verb = needed ? "SET" : "DROP";

	if (needed != bm_compare_is_true(f, "required")) {
		bm_compare_add(it,
				bm_format("column %s is NOT NULL on the %s only",
						bm_compare_text(l, "name"),
						needed ? it->live : it->follower),
				bm_format("on the %s: ALTER TABLE %s ALTER COLUMN %s %s NOT "
					  "NULL",
						it->follower, altered(it, f),
						bm_compare_text(l, "name"), verb),
				!needed);
	}
}

/* Of no meaning for what is replicated, but for applications after a cutover. */
static void compare_default(struct bm_comparison *it, const json_t *l, const json_t *f)
{
	const char *value = bm_compare_text(l, "default");
	bool differs = it->exact
			? !bm_compare_is_same(l, f, "same")
			: (value[0] != '\0') != (bm_compare_text(f, "default")[0] != '\0');

	if (differs) {
		bm_compare_add(it,
				bm_format("column %s has another default",
						bm_compare_text(l, "name")),
				bm_format("on the %s: ALTER TABLE %s ALTER COLUMN %s %s%s",
						it->follower, altered(it, f),
						bm_compare_text(l, "name"),
						value[0] != '\0' ? "SET DEFAULT "
								 : "DROP DEFAULT",
						value),
				false);
	}
}

/* A function of another body computes another value, on each side its own. A function that only
 * seems to be called, by its name in a body, counts when both have it. */
static const char *find_other_maker(const json_t *l, const json_t *f)
{
	const json_t *theirs = json_object_get(f, "makers");
	const char *name;
	json_t *maker;

	json_object_foreach(json_object_get(l, "makers"), name, maker)
	{
		const json_t *other = json_object_get(theirs, name);
		if (other == NULL ? bm_compare_is_true(maker, "direct")
				  : !bm_compare_is_same(maker, other, "def")) {
			return name;
		}
	}
	return NULL;
}

static bool compare_makers(struct bm_comparison *it, const json_t *l, const json_t *f)
{
	const char *name = find_other_maker(l, f), *column = bm_compare_text(l, "name");

	if (name == NULL) {
		return false;
	}
	const json_t *maker = json_object_get(json_object_get(l, "makers"), name);
	const char *text = bm_compare_text(maker, "text");
	bm_compare_add(it,
			bm_format("column %s is generated by function %s, which is another one on "
				  "the %s; rows that were computed before keep what they have "
				  "until they are updated on the %s (UPDATE ONLY %s SET %s = "
				  "DEFAULT updates all)",
					column, name, it->follower, it->live, it->table,
					column),
			text[0] != '\0' ? bm_format("on the %s: %s", it->follower, text)
					: bm_format("on the %s: install %s as the %s has it",
							  it->follower, name, it->live),
			true);
	it->rewritten = true;
	return true;
}

static void compare_kind(struct bm_comparison *it, const json_t *l, const json_t *f)
{
	char *text = column_text(l);
	const char *name = bm_compare_text(l, "name"), *table = altered(it, f);

	if (!bm_compare_is_same(l, f, "generated") ||
			(bm_compare_text(l, "generated")[0] != '\0' && it->exact &&
					!bm_compare_is_same(l, f, "same"))) {
		bm_compare_add(it, bm_format("column %s is generated otherwise", name),
				bm_format("on the %s: ALTER TABLE %s DROP COLUMN %s, ADD "
					  "COLUMN %s",
						it->follower, table, name, text),
				true);
		it->rewritten = true;
	} else if (compare_makers(it, l, f)) {
		/* and nothing else of it differs */
	} else if (!bm_compare_is_same(l, f, "identity")) {
		bm_compare_add(it,
				bm_format("column %s is an identity on one side, or of another kind",
						name),
				bm_format("on the %s: make it as in ALTER TABLE %s ALTER "
					  "COLUMN %s",
						it->follower, table, text),
				false);
	} else {
		compare_default(it, l, f);
	}
	free(text);
}

/* A collation refuses nothing, but what is sorted and compared by it comes out otherwise. */
static void compare_type(struct bm_comparison *it, const json_t *l, const json_t *f)
{
	bool is_other = !bm_compare_is_same(l, f, "type");
	const char *name = bm_compare_text(l, "name");

	if (is_other || !bm_compare_is_same(l, f, "collation")) {
		char *ours = type_text(l), *theirs = type_text(f);
		bm_compare_add(it,
				bm_format("column %s is %s on the %s and %s on the %s", name,
						ours, it->live, theirs, it->follower),
				bm_format("on the %s: ALTER TABLE %s ALTER COLUMN %s TYPE %s "
					  "USING %s::%s",
						it->follower, altered(it, f), name, ours, name,
						bm_compare_text(l, "type")),
				is_other);
		it->rewritten = it->rewritten || is_other;
		free(ours);
		free(theirs);
	}
}

static void compare_column(struct bm_comparison *it, const json_t *l, const json_t *f)
{
	compare_type(it, l, f);
	compare_required(it, l, f);
	compare_kind(it, l, f);
}

/* Of the columns of `a` those that `b` lacks; `*last` is one of them. */
static size_t count_lacking(const json_t *a, const json_t *b, const json_t **last)
{
	size_t count = 0;
	const char *name;
	json_t *column;

	json_object_foreach((json_t *)(uintptr_t)a, name, column)
	{
		if (json_object_get(b, name) == NULL) {
			count++;
			*last = column;
		}
	}
	return count;
}

/* Whether it was renamed, or dropped and another one added, nobody can tell: the statement is
 * right in both cases, since all rows are sent again. */
static void on_renamed(struct bm_comparison *it, const json_t *new, const json_t *old)
{
	bm_compare_add(it,
			bm_format("column %s is on the %s only, and %s of the same type on the "
				  "%s only, as if it had been renamed",
					bm_compare_text(new, "name"), it->live,
					bm_compare_text(old, "name"), it->follower),
			bm_format("on the %s: ALTER TABLE %s RENAME COLUMN %s TO %s",
					it->follower, altered(it, old),
					bm_compare_text(old, "name"),
					bm_compare_text(new, "name")),
			true);
	it->rewritten = true;
}

static bool is_alike(const json_t *a, const json_t *b)
{
	return bm_compare_is_same(a, b, "type") && bm_compare_is_same(a, b, "collation") &&
			bm_compare_is_same(a, b, "generated") &&
			bm_compare_is_same(a, b, "identity");
}

static void compare_columns(
		struct bm_comparison *it, const json_t *live, const json_t *follower)
{
	const json_t *new = NULL, *old = NULL;
	size_t added = count_lacking(live, follower, &new);
	size_t gone = count_lacking(follower, live, &old);
	bool is_renamed = added == 1 && gone == 1 && is_alike(new, old);
	const char *name;
	json_t *column;

	if (is_renamed) {
		on_renamed(it, new, old);
	}
	json_object_foreach((json_t *)(uintptr_t)live, name, column)
	{
		const json_t *other = json_object_get(follower, name);
		if (other != NULL) {
			compare_column(it, column, other);
		} else if (!is_renamed) {
			on_live_only(it, column);
		}
	}
	json_object_foreach((json_t *)(uintptr_t)follower, name, column)
	{
		if (json_object_get(live, name) == NULL && !is_renamed) {
			on_follower_only(it, column);
		}
	}
	/* Perhaps renamed: then rows have values that no trigger saw. */
	it->rewritten = it->rewritten || (added > 0 && gone > 0);
}

static void compare_key(struct bm_comparison *it, const json_t *live, const json_t *follower)
{
	const char *key = bm_compare_text(live, "key");

	if (!bm_compare_is_same(live, follower, "key")) {
		bm_compare_add(it,
				bm_format("its primary key is (%s) on the %s and (%s) on the "
					  "%s",
						key, it->live, bm_compare_text(follower, "key"),
						it->follower),
				key[0] != '\0' ? bm_format("on the %s: ALTER TABLE %s ADD "
							   "PRIMARY KEY (%s), in place of the "
							   "one there is",
								 it->follower, it->table, key)
					       : bm_format("on the %s: ALTER TABLE %s ADD "
							   "PRIMARY KEY (%s)",
								 it->live, it->table,
								 bm_compare_text(follower,
										 "key")),
				true);
	}
}

static void compare_whole(struct bm_comparison *it, const json_t *live, const json_t *follower)
{
	if (live == NULL) {
		bm_compare_add(it, bm_format("the %s has no such table any more", it->live),
				bm_format("on the %s: DROP TABLE %s", it->follower, it->table),
				true);
	} else if (follower == NULL) {
		bm_compare_add(it, bm_format("the %s has no such table any more", it->follower),
				bm_format("make it there: pg_dump --schema-only --table='%s' of "
					  "the %s",
						it->table, it->live),
				true);
		it->rewritten = true;
	} else {
		/* In the order in which the statements are to be run. */
		bm_compare_types(it, live, follower);
		compare_columns(it, json_object_get(live, "columns"),
				json_object_get(follower, "columns"));
		compare_key(it, live, follower);
		bm_compare_guards(it, live, follower);
		bm_compare_surroundings(it, live, follower);
	}
}

bool bm_drift_compare(const char *table, enum bm_side live_side, const json_t *source,
		const json_t *destination, bool exact, json_t *out, bool *rewritten)
{
	bool is_back = live_side == BM_SIDE_DESTINATION;
	const json_t *live = is_back ? destination : source;
	const json_t *follower = is_back ? source : destination;
	struct bm_comparison it = {.table = table,
			.top = bm_compare_text(follower, "top"),
			.live = bm_side_name(live_side),
			.follower = bm_side_name(
					is_back ? BM_SIDE_SOURCE : BM_SIDE_DESTINATION),
			.exact = exact,
			.out = out};

	if (live != NULL || follower != NULL) {
		compare_whole(&it, live, follower);
	}
	*rewritten = it.rewritten;
	return it.breaks;
}
