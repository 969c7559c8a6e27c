/*
 * One pass: put the names together, ask both sides for their sizes, count what is small.
 * What cannot be counted (a lock, a time limit, a missing right) is estimated, and what cannot
 * be estimated is not known.
 */
#include "worker/reconcile/not_in_step.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/table_filter.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "worker/schema/selected_tables.h"
#include "worker/tables/table_check.h"

/* A pass rests this many times as long as it took, within these bounds. */
#define REST_FACTOR 100
#define REST_FIRST_MSEC 60000
#define REST_LIMIT_MSEC 600000

/* Rows are counted in tables up to this size, as long as the pass has time left. */
#define SMALL_BYTES (INT64_C(32) << 20)
#define BUDGET_MSEC 5000

/* clang-format off */
static const char sizes_sql[] =
#include "worker/reconcile/sql/table_sizes.sql.inc"
;
/* clang-format on */

static const enum bm_side sides[] = {BM_SIDE_SOURCE, BM_SIDE_DESTINATION};

/* ---- what there is to count ---- */

static void add(json_t *list, const char *kind, const char *name, const char *why,
		const char *hint)
{
	json_array_append_new(list,
			json_pack("{s:s, s:o, s:o, s:o}", "kind", kind, "name",
					bm_json_text(name), "why", bm_json_text(why), "hint",
					bm_json_text(hint)));
}

static int add_left_out(struct bm_pass *pass, json_t *list, struct bm_error *err)
{
	struct bm_selected selected;
	int rc = bm_selected_read(pass->phase, &selected, err);

	for (size_t i = 0; rc == 0 && i < selected.count; i++) {
		const struct bm_selected_table *table = &selected.tables[i];
		if (table->left_out[0] != '\0') {
			bool keyless = table->key[0] == '\0';
			add(list, keyless ? "keyless" : "left-out", table->quoted,
					keyless ? "it has no key" : table->left_out,
					table->hint);
		}
	}
	bm_selected_finish(&selected);
	return rc;
}

static int add_unselected(struct bm_pass *pass, json_t *list, struct bm_error *err)
{
	PGresult *filter = bm_selected_filter(pass->phase, err);

	for (int row = 0; filter != NULL && row < PQntuples(filter); row++) {
		if (bm_table_filter_row_is(filter, row, "out")) {
			add(list, "excluded", PQgetvalue(filter, row, BM_TABLE_FILTER_NAME),
					"machine.yaml leaves it out", "");
		}
	}
	PQclear(filter);
	return filter != NULL ? 0 : -1;
}

/* Member `of` of the entry of `list` that is about `table`; "" none. */
static const char *find_text(const json_t *list, const char *table, const char *of)
{
	size_t index;
	const json_t *one;

	json_array_foreach(list, index, one)
	{
		const char *name = json_string_value(json_object_get(one, "table"));
		const char *text = json_string_value(json_object_get(one, of));
		if (name != NULL && text != NULL && strcmp(name, table) == 0) {
			return text;
		}
	}
	return "";
}

static void add_paused(struct bm_pass *pass, json_t *list)
{
	const json_t *drift = json_object_get(pass->phase->evidence, "drift");
	size_t index;
	const json_t *one;

	json_array_foreach(json_object_get(pass->phase->evidence, "paused"), index, one)
	{
		const char *table = json_string_value(json_object_get(one, "table"));
		const char *why = find_text(drift, table, "difference");
		char *text = bm_format("it is paused%s%s", why[0] != '\0' ? ": " : "", why);
		add(list, "paused", table, text, find_text(drift, table, "hint"));
		free(text);
	}
}

/* Not paused, but triggers that fire always act on it once more. */
static void add_twice(struct bm_pass *pass, json_t *list)
{
	size_t index;
	const json_t *one;

	json_array_foreach(json_object_get(pass->phase->evidence, "drift"), index, one)
	{
		if (json_is_true(json_object_get(one, "twice"))) {
			add(list, "twice", json_string_value(json_object_get(one, "table")),
					json_string_value(json_object_get(one, "difference")),
					json_string_value(json_object_get(one, "hint")));
		}
	}
}

/* ---- counting ---- */

static char *names_of(const json_t *list)
{
	struct bm_strbuf names = BM_STRBUF_INIT;
	size_t index;
	const json_t *entry;

	json_array_foreach(list, index, entry)
	{
		bm_quote_array_add(&names, json_string_value(json_object_get(entry, "name")));
	}
	return bm_quote_array_end(&names);
}

/* The only value of `sql`; -1: the server refused it. -2 with `err`: the connection is gone. */
static int64_t ask_number(struct bm_phase *phase, enum bm_side side, const char *sql,
		struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(phase, side, sql, 0, NULL, err);
	int64_t number = rows != NULL		  ? strtoll(PQgetvalue(rows, 0, 0), NULL, 10)
			: err->code == BM_ERR_SQL ? -1
						  : -2;

	PQclear(rows);
	return number;
}

static void set_count(json_t *entry, enum bm_side side, int64_t count, bool about)
{
	char *member = bm_format("%s_about", bm_side_name(side));

	json_object_set_new(entry, bm_side_name(side),
			count < 0 ? json_null() : json_integer(count));
	json_object_set_new(entry, member, json_boolean(about && count >= 0));
	free(member);
}

static json_t *find_entry(const json_t *list, const char *name)
{
	size_t index;
	json_t *entry;

	json_array_foreach(list, index, entry)
	{
		if (strcmp(json_string_value(json_object_get(entry, "name")), name) == 0) {
			return entry;
		}
	}
	return NULL;
}

static int count_table(struct bm_phase *phase, enum bm_side side, json_t *entry,
		const PGresult *sizes, int row, uint64_t until_msec, struct bm_error *err)
{
	bool known = !PQgetisnull(sizes, row, 2);
	int64_t estimate = known ? strtoll(PQgetvalue(sizes, row, 2), NULL, 10) : -1;
	int64_t exact = -1;

	if (strtoll(PQgetvalue(sizes, row, 1), NULL, 10) <= SMALL_BYTES &&
			bm_clock_msec() < until_msec) {
		char *sql = bm_format(
				"SELECT count(*) FROM ONLY %s", PQgetvalue(sizes, row, 0));
		exact = ask_number(phase, side, sql, err);
		free(sql);
	}
	if (exact != -2) {
		set_count(entry, side, exact >= 0 ? exact : estimate, exact < 0);
	}
	return exact == -2 ? -1 : 0;
}

static int count_tables(struct bm_phase *phase, enum bm_side side, const json_t *list,
		uint64_t until_msec, struct bm_error *err)
{
	char *names = names_of(list);
	PGresult *sizes = bm_phase_ask(
			phase, side, sizes_sql, 1, (const char *const *)&names, err);
	int rc = sizes != NULL ? 0 : -1;

	for (int row = 0; rc == 0 && row < PQntuples(sizes); row++) {
		json_t *entry = find_entry(list, PQgetvalue(sizes, row, 0));
		if (entry != NULL) {
			rc = count_table(phase, side, entry, sizes, row, until_msec, err);
		}
	}
	PQclear(sizes);
	free(names);
	return rc;
}

/* No statement holds anybody up for long, whatever a server's own limits are. */
static int set_limit(struct bm_phase *phase, enum bm_side side, const char *limit,
		struct bm_error *err)
{
	return bm_phase_do(phase, side, "SELECT set_config('statement_timeout', $1, false)", 1,
			&limit, err);
}

static int count_side(
		struct bm_pass *pass, enum bm_side side, json_t *list, struct bm_error *err)
{
	uint64_t until_msec = bm_clock_msec() + BUDGET_MSEC;
	int rc = set_limit(pass->phase, side, "2s", err);

	if (rc == 0) {
		rc = count_tables(pass->phase, side, list, until_msec, err);
	}
	struct bm_error later = BM_ERROR_INIT;
	int back = set_limit(pass->phase, side, "60s", rc == 0 ? err : &later);
	return rc == 0 ? back : -1;
}

static int add_large_objects(struct bm_pass *pass, json_t *list, struct bm_error *err)
{
	int64_t counts[BM_SIDE_COUNT] = {0};

	for (size_t i = 0; i < BM_COUNT_OF(sides); i++) {
		counts[sides[i]] = ask_number(pass->phase, sides[i],
				"SELECT count(*) FROM (SELECT 1 FROM pg_largeobject_metadata"
				" LIMIT 1000000) x",
				err);
		if (counts[sides[i]] == -2) {
			return -1;
		}
	}
	if (counts[BM_SIDE_SOURCE] > 0 || counts[BM_SIDE_DESTINATION] > 0) {
		add(list, "large-objects", "large objects", "no trigger sees their changes",
				"change none until the cut-over; or keep them in bytea columns");
		json_t *entry = json_array_get(list, json_array_size(list) - 1);
		set_count(entry, BM_SIDE_SOURCE, counts[BM_SIDE_SOURCE],
				counts[BM_SIDE_SOURCE] == 1000000);
		set_count(entry, BM_SIDE_DESTINATION, counts[BM_SIDE_DESTINATION],
				counts[BM_SIDE_DESTINATION] == 1000000);
	}
	return 0;
}

/* ---- telling ---- */

/* Not a table at all (a view that was left out): no side has a count of it. */
static bool is_counted(const json_t *entry)
{
	return json_object_get(entry, "source") != NULL ||
			json_object_get(entry, "destination") != NULL;
}

static bool is_apart(const json_t *entry)
{
	return !json_equal(json_object_get(entry, "source"),
			json_object_get(entry, "destination"));
}

/* Those that are apart first; at most BM_PASS_MOST_TOLD, and how many there are in all. */
static void publish(struct bm_pass *pass, const json_t *list)
{
	json_t *told = json_array();
	json_int_t count = 0, now = (json_int_t)bm_clock_msec();

	for (int apart = 1; apart >= 0; apart--) {
		size_t index;
		json_t *entry;
		json_array_foreach((json_t *)(uintptr_t)list, index, entry)
		{
			if (!is_counted(entry) || is_apart(entry) != apart) {
				continue;
			}
			count++;
			for (size_t i = 0; i < BM_COUNT_OF(sides); i++) {
				if (json_object_get(entry, bm_side_name(sides[i])) == NULL) {
					set_count(entry, sides[i], -1, false);
				}
			}
			json_object_set_new(entry, "counted_ms", json_integer(now));
			if (json_array_size(told) < BM_PASS_MOST_TOLD) {
				json_array_append(told, entry);
			}
		}
	}
	json_object_set_new(pass->phase->evidence, "not_in_step", told);
	json_object_set_new(pass->phase->evidence, "not_in_step_count", json_integer(count));
}

static int count_all(struct bm_pass *pass, json_t *list, struct bm_error *err)
{
	add_paused(pass, list);
	add_twice(pass, list);
	int rc = add_left_out(pass, list, err);

	if (rc == 0) {
		rc = add_unselected(pass, list, err);
	}
	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(sides); i++) {
		rc = count_side(pass, sides[i], list, err);
	}
	return rc == 0 ? add_large_objects(pass, list, err) : -1;
}

/* The names of the tables that are paused or changed twice: another one is counted at once. */
static bool is_news(struct bm_pass *pass)
{
	json_t *names = json_array();
	size_t index;
	const json_t *one;

	json_array_foreach(json_object_get(pass->phase->evidence, "drift"), index, one)
	{
		if (json_is_true(json_object_get(one, "twice"))) {
			json_array_append(names, json_object_get(one, "table"));
		}
	}
	json_array_foreach(json_object_get(pass->phase->evidence, "paused"), index, one)
	{
		json_array_append(names, json_object_get(one, "table"));
	}
	bool is_same = pass->counted != NULL && json_equal(pass->counted, names);
	json_decref(pass->counted);
	pass->counted = names;
	return !is_same;
}

int bm_reconcile_not_in_step(struct bm_pass *pass, struct bm_error *err)
{
	uint64_t begun = bm_clock_msec();

	if (!is_news(pass) && begun < pass->count_at_msec) {
		return 0;
	}
	json_t *list = json_array();
	int rc = count_all(pass, list, err);
	if (rc == 0) {
		publish(pass, list);
	}
	json_decref(list);
	uint64_t rest = (bm_clock_msec() - begun) * REST_FACTOR;
	rest = rest < REST_LIMIT_MSEC ? rest : REST_LIMIT_MSEC;
	pass->count_at_msec = bm_clock_msec() +
			(rest > REST_FIRST_MSEC ? rest : REST_FIRST_MSEC);
	return rc == 0 ? 0 : bm_error_wrap(err, "counting what is not kept in step");
}
