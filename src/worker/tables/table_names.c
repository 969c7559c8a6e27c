/* What each side calls a table, and the statement that makes them agree. */
#include "worker/tables/table_names.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "base/protocol/report.h"

/* clang-format off */
static const char know_function[] =
#include "worker/tables/sql/know_targets.sql.inc"
;

static const char *const prepare_steps[] = {
	"SET client_min_messages = warning",
	"CREATE TABLE IF NOT EXISTS bucardo_machine.target (goat text PRIMARY KEY, relation oid NOT NULL)",
	know_function,
};

static const char source_sql[] =
"SELECT m.name, m.goat, quote_ident(n.nspname) || '.' || quote_ident(c.relname),"
" to_regnamespace(quote_ident((parse_ident(m.goat))[1])) IS NULL,"
/* As selected_tables.c has it. */
" n.nspname || '_' || c.relname ~ '[]\"\\[(){}^$*+?|]|DBGROUP|TARGETNAME'"
" OR (quote_ident(n.nspname) || quote_ident(c.relname) LIKE '%\"%' AND length(quote_ident(n.nspname)"
"  || '.' || quote_ident(c.relname)) > 57)"
" OR octet_length(bucardo.machine_capture_base(n.nspname, c.relname)) > 57"
" FROM bucardo.machine_keys m JOIN pg_catalog.pg_class c ON c.oid = m.relation"
" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

static const char target_sql[] =
"SELECT goat, called, schema_gone FROM bucardo_machine.know_targets($1::json)";

/* $1 the old name, $2 the new one, $3 the migration. */
static const char goat_sql[] =
#include "worker/deltas/sql/table_rename.sql.inc"
;
static const char keys_sql[] = "UPDATE bucardo.machine_keys SET goat = $2 WHERE goat = $1";
static const char learn_sql[] = "UPDATE bucardo_machine.target SET goat = $2 WHERE goat = $1";
/* clang-format on */

int bm_names_prepare(struct bm_pass *pass, struct bm_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(prepare_steps); i++) {
		rc = bm_phase_do(pass->phase, BM_SIDE_DESTINATION, prepare_steps[i], 0, NULL,
				err);
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "preparing the names of tables");
}

/* ---- what they are called ---- */

static const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

/* Of each goat of the source what the destination calls it. */
static int read_targets(struct bm_table_check *check, json_t *by_goat, struct bm_error *err)
{
	json_t *goats = json_object();
	const char *goat;
	json_t *one;

	json_object_foreach(by_goat, goat, one)
	{
		json_object_set(goats, goat, json_object_get(one, "here"));
	}
	char *list = json_dumps(goats, JSON_COMPACT);
	PGresult *rows = bm_phase_ask(check->pass->phase, BM_SIDE_DESTINATION, target_sql, 1,
			(const char *const *)&list, err);
	for (int i = 0; rows != NULL && i < PQntuples(rows); i++) {
		one = json_object_get(by_goat, PQgetvalue(rows, i, 0));
		json_object_set_new(one, "there", bm_json_text(PQgetvalue(rows, i, 1)));
		json_object_set_new(one, "there_gone",
				json_boolean(PQgetvalue(rows, i, 2)[0] == 't'));
	}
	int rc = rows != NULL ? 0 : -1;
	PQclear(rows);
	free(list);
	json_decref(goats);
	return rc;
}

int bm_names_read(struct bm_table_check *check, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(
			check->pass->phase, BM_SIDE_SOURCE, source_sql, 0, NULL, err);
	json_t *by_goat = json_object();

	check->names = json_object();
	for (int i = 0; rows != NULL && i < PQntuples(rows); i++) {
		json_t *one = json_pack("{s:s, s:s, s:b, s:b}", "goat", PQgetvalue(rows, i, 1),
				"here", PQgetvalue(rows, i, 2), "here_gone",
				PQgetvalue(rows, i, 3)[0] == 't', "odd",
				PQgetvalue(rows, i, 4)[0] == 't');
		json_object_set_new(by_goat, PQgetvalue(rows, i, 1), json_incref(one));
		json_object_set_new(check->names, PQgetvalue(rows, i, 0), one);
		/* By whatever name, it is no new table. */
		json_object_set_new(check->captured, PQgetvalue(rows, i, 2), json_true());
	}
	int rc = rows != NULL ? read_targets(check, by_goat, err) : -1;
	PQclear(rows);
	json_decref(by_goat);
	return rc == 0 ? 0 : bm_error_wrap(err, "reading the names of tables");
}

const char *bm_names_goat(const struct bm_table_check *check, const char *table)
{
	const char *goat = member(json_object_get(check->names, table), "goat");

	return goat[0] != '\0' ? goat : table;
}

/* ---- what follows from it ---- */

/* Length of the schema in schema.table; a name in quotes may have a dot, but no quote. */
static size_t schema_length(const char *name)
{
	const char *dot = name[0] == '"' ? strchr(name + 1, '"') : name;

	dot = dot != NULL ? strchr(dot, '.') : NULL;
	return dot != NULL ? (size_t)(dot - name) : strlen(name);
}

/* The statement that gives what is called `from` the name `to`. */
static char *rename_text(const char *from, const char *to, bool schema_is_gone)
{
	size_t f = schema_length(from), t = schema_length(to);
	bool moved = f != t || strncmp(from, to, t) != 0;
	bool renamed = strcmp(from + f, to + t) != 0;
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (moved && schema_is_gone) {
		bm_strbuf_printf(&text, "ALTER SCHEMA %.*s RENAME TO %.*s", (int)f, from,
				(int)t, to);
	} else if (moved) {
		bm_strbuf_printf(&text, "ALTER TABLE %s SET SCHEMA %.*s", from, (int)t, to);
	}
	if (renamed) {
		bm_strbuf_printf(&text, "%sALTER TABLE %.*s%s RENAME TO %s", moved ? "; " : "",
				(int)t, to, from + f, to + t + 1);
	}
	return bm_strbuf_detach(&text);
}

/* The side that is not written to gets the name of the live one. */
static void report_differing(struct bm_table_check *check, const char *table,
		const json_t *name, json_t *drift)
{
	bool follows = bm_pass_follower(check->pass) == BM_SIDE_DESTINATION;
	const char *here = member(name, "here"), *there = member(name, "there");
	char *statement = follows
			? rename_text(there, here,
					  json_is_true(json_object_get(name, "here_gone")))
			: rename_text(here, there,
					  json_is_true(json_object_get(name, "there_gone")));
	char *hint = bm_format("on the %s: %s", bm_side_name(bm_pass_follower(check->pass)),
			statement);
	char *what = bm_format(
			"it is called %s on the source and %s on the destination", here, there);

	json_array_append_new(drift,
			json_pack("{s:s, s:o, s:o, s:b}", "table", table, "difference",
					bm_json_text(what), "hint", bm_json_text(hint),
					"breaks", true));
	free(what);
	free(hint);
	free(statement);
}

/* Last where it is looked for: when we are killed it is all done again. */
static int learn(struct bm_table_check *check, const char *goat, const char *table,
		struct bm_error *err)
{
	struct bm_phase *phase = check->pass->phase;
	const char *const params[] = {goat, table, phase->request.name};
	int rc = bm_phase_begin(phase, err);

	if (rc == 0) {
		rc = bm_phase_do(phase, BM_SIDE_CONTROL, goat_sql, 3, params, err);
	}
	rc = bm_phase_end(phase, rc, err);
	if (rc == 0) {
		rc = bm_phase_do(phase, BM_SIDE_DESTINATION, learn_sql, 2, params, err);
	}
	if (rc == 0 && phase->request.is_both) {
		rc = bm_phase_do(phase, BM_SIDE_DESTINATION, keys_sql, 2, params, err);
	}
	if (rc == 0) {
		rc = bm_phase_do(phase, BM_SIDE_SOURCE, keys_sql, 2, params, err);
	}
	if (rc == 0) {
		bm_report_note("%s is called %s on both sides now; it goes on under that name",
				goat, table);
		check->pass->check_at_msec = 0;
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "giving %s the name %s", goat, table);
}

static const char learning[] = "it got another name on both sides, and Bucardo has to learn it";

int bm_names_evaluate(struct bm_table_check *check, const char *table, bool is_resting,
		json_t *drift, struct bm_error *err)
{
	const json_t *name = json_object_get(check->names, table);
	const char *goat = member(name, "goat"), *here = member(name, "here");
	const char *there = member(name, "there");

	if (name == NULL || there[0] == '\0' ||
			(strcmp(goat, here) == 0 && strcmp(goat, there) == 0)) {
		return 0;
	}
	if (strcmp(here, there) != 0) {
		report_differing(check, table, name, drift);
		return 1;
	}
	bool is_odd = json_is_true(json_object_get(name, "odd"));
	if (is_resting && !is_odd && strcmp(table, here) == 0) {
		return learn(check, goat, table, err);
	}
	json_array_append_new(drift,
			json_pack("{s:s, s:s, s:s, s:b}", "table", table, "difference",
					is_odd ? "Bucardo cannot replicate a table of that name"
					       : learning,
					"hint",
					is_odd ? "give it another name, on both sides"
					       : "nothing is to be done: it goes on in some seconds",
					"breaks", true));
	return 1;
}
