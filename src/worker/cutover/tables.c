/* The tables that are locked and fenced, the order of their locks, and those that came later.
 */
#include "worker/cutover/attempt.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/protocol/report.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/strbuf.h"
#include "worker/cutover/conditions.h"
#include "worker/cutover/ready.h"
#include "worker/drift/drift.h"
#include "worker/schema/selected_tables.h"
#include "worker/tables/strangers.h"

/* Looks at what writers hold, before the freeze. */
#define LOOKS 12
#define LOOK_MSEC 8

/* clang-format off */
static const char list_sql[] =
#include "worker/live/sql/fence_tables.sql.inc"
;
/* Those that $1 does not list; and of these the ones that are not empty. */
static const char late_sql[] =
"SELECT string_agg(t.name, ', '), string_agg(t.name, ', ') FILTER (WHERE pg_relation_size(t.oid) > 0) FROM ("
#include "worker/live/sql/fence_tables.sql.inc"
") t(name, oid, is_fed)";
static const char prints_sql[] =
#include "worker/cutover/sql/captured_prints.sql.inc"
;
static const char held_sql[] =
#include "worker/cutover/sql/held_tables.sql.inc"
;
/* clang-format on */

void bm_cutover_forget_tables(struct bm_cutover *c)
{
	for (size_t i = 0; i < c->table_count; i++) {
		free(c->tables[i].name);
		free(c->tables[i].oid);
	}
	free(c->tables);
	c->tables = NULL;
	c->table_count = 0;
	json_decref(c->prints);
	c->prints = NULL;
}

int bm_cutover_read_tables(struct bm_cutover *c, struct bm_error *err)
{
	char *outside = bm_selected_outside(c->phase, c->from, err);
	PGresult *rows = outside != NULL ? bm_phase_ask(c->phase, c->from, list_sql, 1,
							   (const char *const *)&outside, err)
					 : NULL;

	free(outside);
	if (rows == NULL) {
		return bm_error_wrap(
				err, "reading the tables of the %s", bm_side_name(c->from));
	}
	bm_cutover_forget_tables(c);
	c->tables = bm_alloc(((size_t)PQntuples(rows) + 1) * sizeof(*c->tables));
	for (int row = 0; row < PQntuples(rows); row++) {
		c->tables[c->table_count++] = (struct bm_cutover_table){
				.name = bm_strdup(PQgetvalue(rows, row, 0)),
				.oid = bm_strdup(PQgetvalue(rows, row, 1)),
				.is_fed = PQgetvalue(rows, row, 2)[0] == 't'};
	}
	PQclear(rows);
	return 0;
}

/* ---- in which order writers take them ---- */

static void note_held(struct bm_cutover *c, const char *oid, unsigned held)
{
	for (size_t i = 0; i < c->table_count; i++) {
		struct bm_cutover_table *table = &c->tables[i];
		if (strcmp(table->oid, oid) == 0) {
			table->held = table->held == 0 || held < table->held ? held
									     : table->held;
			return;
		}
	}
}

/* Those first that a writer holds alone: it takes the others after them, as we shall. Of the
 * rest the order stays. */
static void sort_tables(struct bm_cutover *c)
{
	for (size_t i = 1; i < c->table_count; i++) {
		struct bm_cutover_table moved = c->tables[i];
		size_t place = i;
		while (place > 0 && moved.held > 0 &&
				(c->tables[place - 1].held == 0 ||
						c->tables[place - 1].held > moved.held)) {
			c->tables[place] = c->tables[place - 1];
			place--;
		}
		c->tables[place] = moved;
	}
}

static char *oids_of(const struct bm_cutover *c)
{
	struct bm_strbuf list = BM_STRBUF_INIT;

	for (size_t i = 0; i < c->table_count; i++) {
		bm_quote_array_add(&list, c->tables[i].oid);
	}
	return bm_quote_array_end(&list);
}

int bm_cutover_order_tables(struct bm_cutover *c, struct bm_error *err)
{
	char *oids = oids_of(c);
	int rc = 0;

	for (int look = 0; rc == 0 && look < LOOKS; look++) {
		PGresult *rows = bm_phase_ask(c->phase, c->from, held_sql, 1,
				(const char *const *)&oids, err);
		for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
			note_held(c, PQgetvalue(rows, row, 0),
					(unsigned)atol(PQgetvalue(rows, row, 1)));
		}
		rc = rows != NULL ? 0 : -1;
		PQclear(rows);
		poll(NULL, 0, LOOK_MSEC);
	}
	free(oids);
	sort_tables(c);
	return rc;
}

/* ---- those that came later ---- */

#define NEW_HINT "it is taken in within seconds: ask again"

static void add_new(json_t *list, const char *table, const char *why, char *hint)
{
	json_array_append_new(list,
			json_pack("{s:o, s:o, s:o}", "table", bm_json_text(table), "why",
					bm_json_text(why), "hint", bm_json_text(hint)));
	free(hint);
}

static void add_stranger(
		struct bm_phase *phase, const char *table, const json_t *stranger, json_t *list)
{
	const char *to = bm_side_name(bm_cutover_to(phase));
	char *why = bm_format(
			"on the %s it belongs to role %s: its functions would run with the "
			"machine's rights",
			to, json_string_value(json_object_get(stranger, "role")));

	add_new(list, table, why,
			bm_format("look what it is; then on the %s: ALTER TABLE %s OWNER TO %s; or "
				  "--accept '%s', and it is left alone",
					to, table,
					json_string_value(json_object_get(stranger, "owner")),
					table));
	free(why);
}

/* Those of `names` that the other side lacks (PQclear()). */
static PGresult *ask_absent(struct bm_phase *phase, const json_t *names, struct bm_error *err)
{
	char *text = json_dumps(names, JSON_COMPACT);
	PGresult *rows = bm_phase_ask(phase, bm_cutover_to(phase),
			"SELECT k FROM json_object_keys($1::json) k WHERE to_regclass(k) IS NULL",
			1, (const char *const *)&text, err);

	free(text);
	return rows;
}

static void add_absent(
		struct bm_phase *phase, json_t *names, const PGresult *absent, json_t *list)
{
	for (int i = 0; i < PQntuples(absent); i++) {
		const char *name = PQgetvalue(absent, i, 0);
		add_new(list, name, "it came later, and is on one side only",
				bm_format("make it on the %s (a partition is made by itself), and "
					  "ask again; or --accept '%s', and its rows stay behind",
						bm_side_name(bm_cutover_to(phase)), name));
		json_object_del(names, name);
	}
}

/* Of `names`, which nobody captures (with true those that could be), what stands in the way:
 * what is on both sides and without a key is copied again in the freeze, with our rights. */
static int add_uncaptured(struct bm_phase *phase, json_t *names, const json_t *captured,
		json_t *list, struct bm_error *err)
{
	PGresult *absent = ask_absent(phase, names, err);
	json_t *strangers = absent != NULL
			? bm_strangers(phase, bm_cutover_from(phase), names, captured, err)
			: NULL;
	const char *name;
	json_t *could;

	if (strangers != NULL) {
		add_absent(phase, names, absent, list);
		json_object_foreach(names, name, could)
		{
			const json_t *stranger = json_object_get(strangers, name);
			if (stranger != NULL) {
				add_stranger(phase, name, stranger, list);
			} else if (json_is_true(could)) {
				add_new(list, name, "it came later, and is not captured yet",
						bm_strdup(NEW_HINT));
			}
		}
	}
	int rc = strangers != NULL ? 0 : -1;
	json_decref(strangers);
	PQclear(absent);
	return rc;
}

static json_t *read_captured(struct bm_phase *phase, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(phase, bm_cutover_from(phase), bm_ready_tables_sql, 1,
			&phase->request.name, err);
	json_t *names = rows != NULL ? json_loads(PQgetvalue(rows, 0, 0), 0, NULL) : NULL;
	json_t *set = rows != NULL ? json_object() : NULL, *name;
	size_t i;

	json_array_foreach(names, i, name)
	{
		json_object_set_new(set, json_string_value(name), json_true());
	}
	json_decref(names);
	PQclear(rows);
	return set;
}

/* Tables that nothing carries, {table, why, hint}, without those that a person accepted; NULL
 * with `err`. */
static json_t *find_new(struct bm_phase *phase, struct bm_error *err)
{
	enum bm_side catalog = phase->catalog;
	struct bm_selected tables = {0};
	json_t *list = json_array(), *names = json_object();

	phase->catalog = bm_cutover_from(phase);
	json_t *captured = read_captured(phase, err);
	int rc = captured != NULL ? bm_selected_read(phase, &tables, err) : -1;
	phase->catalog = catalog;
	for (size_t i = 0; rc == 0 && i < tables.count; i++) {
		const struct bm_selected_table *table = &tables.tables[i];
		if (json_object_get(captured, table->quoted) == NULL &&
				!bm_cutover_is_accepted(phase, table->quoted)) {
			json_object_set_new(names, table->quoted,
					json_boolean(table->left_out[0] == '\0'));
		}
	}
	rc = rc == 0 && json_object_size(names) > 0
			? add_uncaptured(phase, names, captured, list, err)
			: rc;
	bm_selected_finish(&tables);
	json_decref(captured);
	json_decref(names);
	if (rc != 0) {
		json_decref(list);
	}
	return rc == 0 ? list : NULL;
}

static const char *text_of(const json_t *list, size_t index, const char *key)
{
	return json_string_value(json_object_get(json_array_get(list, index), key));
}

/* Rows of table, `what` and hint, into the members of a condition. */
static void tell(const json_t *list, const char *what, json_t *condition)
{
	struct bm_strbuf why = BM_STRBUF_INIT;
	size_t count = json_array_size(list);
	char value[24] = "none";

	for (size_t i = 0; i < count && i < BM_READY_MOST_NAMED; i++) {
		bm_strbuf_printf(&why, "%s%s: %s", i == 0 ? "" : "; ",
				text_of(list, i, "table"), text_of(list, i, what));
	}
	if (count > 0) {
		snprintf(value, sizeof(value), "%zu", count);
	}
	json_object_set_new(
			condition, "state", json_string(count == 0 ? "ready" : "not_ready"));
	json_object_set_new(condition, "value", json_string(value));
	json_object_set_new(condition, "why", bm_json_text(bm_strbuf_text(&why)));
	json_object_set_new(condition, "hint",
			bm_json_text(count == 0 ? "" : text_of(list, 0, "hint")));
	bm_strbuf_finish(&why);
}

int bm_cutover_look_at_new(struct bm_phase *phase, json_t *condition, struct bm_error *err)
{
	json_t *list = find_new(phase, err);

	if (list == NULL) {
		return -1;
	}
	tell(list, "why", condition);
	json_decref(list);
	return 0;
}

int bm_cutover_check_new(struct bm_cutover *c, struct bm_error *err)
{
	json_t *list = find_new(c->phase, err);
	int rc = list != NULL ? 0 : -1;

	if (json_array_size(list) > 0) {
		snprintf(c->phase->hint, sizeof(c->phase->hint), "%s",
				text_of(list, 0, "hint"));
		rc = bm_error_set(err, BM_ERR_PRECONDITION, "%.200s came meanwhile: %s",
				text_of(list, 0, "table"), text_of(list, 0, "why"));
	}
	json_decref(list);
	return rc;
}

/* Tables that were not there when the list was read (PQclear()). */
static PGresult *ask_late(struct bm_cutover *c, struct bm_error *err)
{
	char *outside = bm_selected_outside(c->phase, c->from, err);
	char *known = outside != NULL ? oids_of(c) : NULL;
	PGresult *names = NULL;

	if (known != NULL) {
		/* Two arrays as one. */
		bool is_alone = strcmp(outside, "{}") == 0;
		char *all = is_alone ? bm_strdup(known)
				     : bm_format("%.*s,%s", (int)strlen(outside) - 1, outside,
						       known + 1);
		names = bm_phase_ask(
				c->phase, c->from, late_sql, 1, (const char *const *)&all, err);
		free(all);
	}
	free(outside);
	free(known);
	if (names == NULL) {
		bm_error_wrap(err, "looking for new tables of the %s", bm_side_name(c->from));
	}
	return names;
}

int bm_cutover_refuse_late(struct bm_cutover *c, struct bm_error *err)
{
	PGresult *names = ask_late(c, err);
	int rc = names != NULL ? 0 : -1;

	if (rc == 0 && !PQgetisnull(names, 0, 0)) {
		snprintf(c->phase->hint, sizeof(c->phase->hint), NEW_HINT);
		rc = bm_error_set(err, BM_ERR_PRECONDITION,
				"%.300s came while the sides were about to change places",
				PQgetvalue(names, 0, 0));
	}
	PQclear(names);
	return rc;
}

int bm_cutover_tell_late(struct bm_cutover *c, struct bm_error *err)
{
	PGresult *names = c->table_count > 0 ? ask_late(c, err) : NULL;

	if (names == NULL) {
		return c->table_count > 0 ? -1 : 0;
	}
	snprintf(c->detail, sizeof(c->detail), "%.300s", PQgetvalue(names, 0, 1));
	if (c->detail[0] != '\0') {
		bm_report_note("%s came on the %s in the moment of the commit: its rows are not on the "
			       "%s, copy them (pg_dump --data-only --table=NAME)",
				c->detail, bm_side_name(c->from), bm_side_name(c->to));
		json_object_set_new(c->phase->evidence, "left_behind", bm_json_text(c->detail));
	}
	PQclear(names);
	return 0;
}

/* ---- as they are on the other side ---- */

/* {table, difference, hint} of what breaks the replication and was not found yet; NULL with
 * `err`. */
static json_t *find_drift(struct bm_phase *phase, struct bm_error *err)
{
	json_t *captured = read_captured(phase, err);
	json_t *found = captured != NULL
			? bm_drift_breaking(phase, bm_cutover_from(phase), captured, err)
			: NULL;

	json_decref(captured);
	return found;
}

int bm_cutover_look_at_drift(struct bm_phase *phase, json_t *condition, struct bm_error *err)
{
	json_t *found = find_drift(phase, err);

	if (found == NULL) {
		return -1;
	}
	tell(found, "difference", condition);
	json_decref(found);
	return 0;
}

static int check_drift(struct bm_cutover *c, struct bm_error *err)
{
	json_t *found = find_drift(c->phase, err);
	int rc = found != NULL ? 0 : -1;

	if (json_array_size(found) > 0) {
		snprintf(c->phase->hint, sizeof(c->phase->hint), "%s",
				text_of(found, 0, "hint"));
		rc = bm_error_set(err, BM_ERR_PRECONDITION, "%.200s: %.300s",
				text_of(found, 0, "table"), text_of(found, 0, "difference"));
	}
	json_decref(found);
	return rc;
}

/* ---- as they were captured ---- */

static json_t *read_prints(struct bm_cutover *c, struct bm_error *err)
{
	PGresult *row = bm_phase_ask(
			c->phase, c->from, prints_sql, 1, &c->phase->request.name, err);
	json_t *prints = row != NULL ? json_loads(PQgetvalue(row, 0, 0), 0, NULL) : NULL;

	if (row != NULL && prints == NULL) {
		bm_error_set(err, BM_ERR_PRECONDITION, "no table of the %s is captured",
				bm_side_name(c->from));
	}
	PQclear(row);
	return prints;
}

static int refuse_gap(
		struct bm_cutover *c, const char *table, const char *why, struct bm_error *err)
{
	snprintf(c->phase->hint, sizeof(c->phase->hint),
			"it is captured again, and all its rows are sent again, within seconds: ask "
			"again");
	return bm_error_set(err, BM_ERR_PRECONDITION,
			"changes of %.200s may have gone unseen: %.300s", table, why);
}

int bm_cutover_check_captured(struct bm_cutover *c, struct bm_error *err)
{
	json_decref(c->prints);
	c->prints = read_prints(c, err);
	if (c->prints == NULL || check_drift(c, err) != 0 ||
			bm_phase_do(c->phase, c->from,
					"SELECT set_config('bucardo_machine.migration', $1, false)",
					1, &c->phase->request.name, err) != 0) {
		return -1;
	}
	PGresult *gaps = bm_phase_ask(c->phase, c->from, bm_ready_captured_sql, 0, NULL, err);
	int rc = gaps != NULL ? 0 : -1;

	if (rc == 0 && PQntuples(gaps) > 0) {
		rc = refuse_gap(c, PQgetvalue(gaps, 0, 0), PQgetvalue(gaps, 0, 1), err);
	}
	PQclear(gaps);
	return rc;
}

int bm_cutover_check_prints(struct bm_cutover *c, struct bm_error *err)
{
	json_t *prints = read_prints(c, err), *print;
	int rc = prints != NULL ? 0 : -1;
	const char *table;

	json_object_foreach(c->prints, table, print)
	{
		if (rc == 0 && !json_equal(json_object_get(prints, table), print)) {
			rc = refuse_gap(c, table,
					"ALTER TABLE, or a switched trigger, while the sides were about to "
					"change places",
					err);
		}
	}
	json_decref(prints);
	return rc;
}
