/* The table of what stays behind, or comes over once and is not kept in step. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "worker/preflight/plan_report.h"

/* Names in a message; the count says how many there are. */
#define NAMED 5

/* clang-format off */
#define USER_SCHEMA "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bucardo'," \
	" 'bucardo_machine')"
#define OBJECTS(kind) "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)" \
	" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace" \
	" WHERE c.relkind = '" kind "' AND " USER_SCHEMA \
	" AND c.oid <> ALL (current_setting('bucardo_machine.outside')::oid[]) ORDER BY 1"

/* `sql` gives one name a row, on the source; nothing is told where it gives none. */
static const struct {
	const char *what, *why, *sql;
} rows[] = {
{ "large objects", "copied once; no trigger sees their changes, so later ones are not replicated",
  "SELECT oid::text FROM pg_largeobject_metadata ORDER BY oid" },
{ "materialised views", "filled once, when the indexes are built; refresh them after the cut-over",
  OBJECTS("m") },
{ "foreign tables", "the definition only: their rows stay where they are", OBJECTS("f") },
{ "event triggers", "only a superuser of the destination can create them; else they are left out",
  "SELECT quote_ident(evtname) FROM pg_event_trigger t WHERE NOT EXISTS (SELECT 1 FROM pg_depend d"
  " WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = t.oid AND d.deptype = 'e') ORDER BY 1" },
{ "subscriptions", "they stay with the source: two subscribers of one slot would lose rows",
  "SELECT quote_ident(subname) FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid"
  " WHERE d.datname = current_database() ORDER BY 1" },
{ "replication slots", "the destination has its own log, in which nobody's position means anything",
  "SELECT quote_ident(slot_name) FROM pg_replication_slots WHERE database = current_database()"
  " ORDER BY 1" },
{ "settings of the database and of roles in it", "ALTER DATABASE ... SET and ALTER ROLE ... IN"
  " DATABASE ... SET are no part of a dump: set them on the destination",
  "SELECT coalesce(quote_ident(r.rolname) || ': ', '') || array_to_string(s.setconfig, ', ')"
  " FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
  " LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE d.datname = current_database() ORDER BY 1" },
{ "tablespaces", "everything goes into the destination's default tablespace",
  "SELECT DISTINCT quote_ident(t.spcname) FROM pg_class c JOIN pg_tablespace t"
  " ON t.oid = c.reltablespace JOIN pg_namespace n ON n.oid = c.relnamespace"
  " WHERE c.relkind IN ('r', 'i', 'm') AND " USER_SCHEMA " ORDER BY 1" },
{ "the work of triggers that fire always", "on the destination they do it once more, for each row that comes:"
  " values may differ, and what they write elsewhere is there twice (the findings say what fixes it)",
  "SELECT DISTINCT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_trigger g"
  " JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
  " WHERE g.tgenabled = 'A' AND g.tgtype & 12 <> 0 AND NOT g.tgisinternal AND g.tgname !~ '^bucardo_'"
  " AND " USER_SCHEMA " AND c.oid <> ALL (current_setting('bucardo_machine.outside')::oid[]) ORDER BY 1" },
{ "changes of the schema while it replicates", "make them on both sides; the machine says when they"
  " differ. Where the columns of a key change all rows of the table may be sent again", "SELECT ''" },
};
/* clang-format on */

static void add(json_t *left, const char *what, const char *why, json_int_t count,
		const char *names)
{
	json_array_append_new(left,
			json_pack("{s:s, s:s, s:I, s:o}", "what", what, "why", why, "count",
					count, "names", bm_json_text(names)));
}

/* The first names, and how many there are; nothing when there are none. */
static void add_found(json_t *left, const char *what, const char *why, const PGresult *found)
{
	struct bm_strbuf names = BM_STRBUF_INIT;
	int count = found != NULL ? PQntuples(found) : 0;

	for (int i = 0; i < count && i < NAMED; i++) {
		bm_strbuf_printf(&names, "%s%s", i > 0 ? ", " : "", PQgetvalue(found, i, 0));
	}
	if (count > 0) {
		add(left, what, why, count, bm_strbuf_text(&names));
	}
	bm_strbuf_finish(&names);
}

static void add_row(struct bm_phase *phase, size_t row, json_t *left)
{
	struct bm_error ignored = BM_ERROR_INIT; /* a catalog that is hidden from our role */
	PGresult *found = bm_phase_ask(phase, BM_SIDE_SOURCE, rows[row].sql, 0, NULL, &ignored);

	add_found(left, rows[row].what, rows[row].why, found);
	PQclear(found);
}

static void add_tables(const struct bm_selected *tables, json_t *left)
{
	struct bm_strbuf names = BM_STRBUF_INIT;
	json_int_t count = 0;

	for (size_t i = 0; i < tables->count; i++) {
		const struct bm_selected_table *table = &tables->tables[i];
		if (table->left_out[0] != '\0' && count++ < NAMED) {
			bm_strbuf_printf(&names, "%s%s", count > 1 ? ", " : "", table->quoted);
		}
	}
	if (count > 0) {
		add(left, "tables that Bucardo cannot replicate",
				"copied once; what changes after their copy is not replicated (the "
				"findings say why, and what fixes it)",
				count, bm_strbuf_text(&names));
	}
	bm_strbuf_finish(&names);
}

/* Tables, views and the like; sequences go with their tables. */
static void add_outside(struct bm_phase *phase, json_t *left)
{
	struct bm_error ignored = BM_ERROR_INIT;
	char *outside = bm_selected_outside(phase, phase->catalog, &ignored);
	PGresult *found = outside == NULL
			? NULL
			: bm_phase_ask(phase, BM_SIDE_SOURCE,
					  "SELECT c.oid::regclass::text FROM pg_class c"
					  " WHERE c.oid = ANY ($1::oid[])"
					  " AND c.relkind IN ('r', 'p', 'f', 'v', 'm') ORDER BY 1",
					  1, (const char *const *)&outside, &ignored);

	add_found(left, "tables and views that are not selected",
			"tables: in machine.yaml leaves them out", found);
	PQclear(found);
	free(outside);
}

json_t *bm_plan_left(struct bm_phase *phase, const struct bm_selected *tables)
{
	json_t *left = json_array();

	add_outside(phase, left);
	add_tables(tables, left);
	for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
		add_row(phase, i, left);
	}
	return left;
}
