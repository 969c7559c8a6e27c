#include "client/verify/verify_statements.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/macros.h"
#include "client/terminal/text.h"

/* What stands between `before` and `after`. */
enum what {
	WHAT_NAME,    /* the object's name, which is SQL */
	WHAT_LITERAL, /* the same as a literal */
	WHAT_TABLE,   /* as a literal, the table that it is "on" */
	WHAT_OWNER,   /* of "public.t.c" as a literal, what stands before the last point */
	WHAT_NOTHING
};

static const struct statement {
	const char *kind, *before;
	enum what what;
	const char *after;
} statements[] = {
		{"table", "SELECT count(*) FROM ", WHAT_NAME, ""},
		{"materialized view", "SELECT count(*) FROM ", WHAT_NAME, ""},
		{"sequence", "SELECT last_value, is_called FROM ", WHAT_NAME, ""},
		{"large object",
				"SELECT length(b), encode(sha256(b), 'hex') FROM "
				"lo_get(",
				WHAT_NAME, ") b"},
		{"index",
				"SELECT pg_get_indexdef(indexrelid), indisvalid FROM pg_index WHERE "
				"indexrelid = to_regclass(",
				WHAT_LITERAL, ")"},
		{"view", "SELECT pg_get_viewdef(to_regclass(", WHAT_LITERAL, "))"},
		{"constraint",
				"SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
				"WHERE conrelid = to_regclass(",
				WHAT_TABLE, ") ORDER BY 1"},
		{"trigger",
				"SELECT pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE "
				"tgrelid = to_regclass(",
				WHAT_TABLE, ") AND NOT tgisinternal ORDER BY 1"},
		{"rule",
				"SELECT pg_get_ruledef(oid), ev_enabled FROM pg_rewrite WHERE ev_class "
				"= to_regclass(",
				WHAT_TABLE, ") ORDER BY 1"},
		{"policy",
				"SELECT polname, polcmd, polroles::regrole[], "
				"pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, "
				"polrelid) FROM pg_policy WHERE polrelid = to_regclass(",
				WHAT_TABLE, ") ORDER BY 1"},
		{"column",
				"SELECT attname, format_type(atttypid, atttypmod), attnotnull, "
				"pg_get_expr(adbin, adrelid) FROM pg_attribute LEFT JOIN "
				"pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE "
				"attrelid = to_regclass(",
				WHAT_OWNER, ") AND attnum > 0 ORDER BY 1"},
		{"function", "SELECT pg_get_functiondef(to_regprocedure(", WHAT_LITERAL, "))"},
		{"procedure", "SELECT pg_get_functiondef(to_regprocedure(", WHAT_LITERAL, "))"},
		{"sequence definition",
				"SELECT * FROM pg_sequence WHERE seqrelid = to_regclass(",
				WHAT_LITERAL, ")"},
		{"table definition",
				"SELECT relkind, relpersistence, relrowsecurity, "
				"relforcerowsecurity FROM pg_class WHERE oid = to_regclass(",
				WHAT_LITERAL, ")"},
		{"type", "SELECT enumlabel FROM pg_enum WHERE enumtypid = to_regtype(",
				WHAT_LITERAL, ") ORDER BY enumsortorder"},
		{"extension", "SELECT extname, extversion FROM pg_extension ORDER BY 1",
				WHAT_NOTHING, ""},
		{"extension version", "SELECT extname, extversion FROM pg_extension ORDER BY 1",
				WHAT_NOTHING, ""},
		{"owner",
				"SELECT oid::regclass, relowner::regrole FROM pg_class WHERE "
				"relnamespace >= 2200 ORDER BY 1",
				WHAT_NOTHING, ""},
		{"grants",
				"SELECT oid::regclass, relacl FROM pg_class WHERE relnamespace >= 2200 "
				"ORDER BY 1",
				WHAT_NOTHING, ""},
		{"comment",
				"SELECT (pg_identify_object(classoid, objoid, objsubid)).identity, "
				"description FROM pg_description WHERE objoid >= 16384 ORDER BY 1",
				WHAT_NOTHING, ""},
		{"parameter",
				"SELECT setconfig FROM pg_db_role_setting JOIN pg_database ON "
				"pg_database.oid = setdatabase WHERE datname = "
				"current_database() AND setrole = 0",
				WHAT_NOTHING, ""},
};

/* The last occurrence of a word in a text; NULL. */
static const char *last_of(const char *text, const char *word)
{
	const char *last = NULL;

	for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
		last = at;
	}
	return last;
}

static void put_what(enum what what, const char *name, struct bm_strbuf *out)
{
	const char *on = last_of(name, " on "), *point = last_of(name, ".");

	if (what == WHAT_NAME) {
		bm_strbuf_puts(out, name);
	} else if (what == WHAT_OWNER && point != NULL) {
		char *owner = bm_format("%.*s", (int)(point - name), name);
		bm_quote_literal(out, owner);
		free(owner);
	} else if (what != WHAT_NOTHING) {
		bm_quote_literal(out, what == WHAT_TABLE && on != NULL ? on + 4 : name);
	}
}

void cli_verify_statement(const json_t *object, struct bm_strbuf *out)
{
	const char *kind = cli_text_of(object, "kind");

	for (size_t i = 0; i < BM_COUNT_OF(statements); i++) {
		const struct statement *one = &statements[i];
		if (strcmp(one->kind, kind) == 0) {
			bm_strbuf_puts(out, one->before);
			put_what(one->what, cli_text_of(object, "name"), out);
			bm_strbuf_printf(out, "%s;", one->after);
		}
	}
}

void cli_verify_row_statement(const json_t *object, const json_t *row, struct bm_strbuf *out)
{
	const char *column, *separator = " WHERE ";
	const json_t *value;

	bm_strbuf_printf(out, "SELECT * FROM %s", cli_text_of(object, "name"));
	json_object_foreach(json_object_get(row, "key"), column, value)
	{
		bm_strbuf_printf(out, "%s%s = ", separator, column);
		bm_quote_literal(out, json_string_value(value));
		separator = " AND ";
	}
	bm_strbuf_putc(out, ';');
}
