/* One statement on the live side names them, one on the other side follows. */
#include "worker/reconcile/largest_tables.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/libpq.h"
#include "worker/deltas/delta_facts.h"

/* So many series a migration has in the metrics, too (docs/http.md). */
#define MOST "50"

#define REST_FACTOR 100
#define REST_FIRST_MSEC 60000
#define REST_LIMIT_MSEC 600000

/* clang-format off */
static const char room_sql[] =
#include "worker/reconcile/sql/room_of_tables.sql.inc"
;
/* clang-format on */

enum { TABLE, BYTES, ROWS, CHANGES };

static json_t *number(const PGresult *rows, int row, int column)
{
	return PQgetisnull(rows, row, column)
			? json_null()
			: json_integer(strtoll(PQgetvalue(rows, row, column), NULL, 10));
}

static const char *member_of(enum bm_side side)
{
	return side == BM_SIDE_SOURCE ? "source_bytes" : "destination_bytes";
}

static json_t *list_of(const PGresult *rows, enum bm_side live)
{
	json_t *list = json_array();

	for (int row = 0; row < PQntuples(rows); row++) {
		json_t *one = json_pack("{s:s, s:o, s:n, s:n, s:o}", "table",
				PQgetvalue(rows, row, TABLE), "rows", number(rows, row, ROWS),
				"source_bytes", "destination_bytes", "changes_bytes",
				number(rows, row, CHANGES));
		json_object_set_new(one, member_of(live), number(rows, row, BYTES));
		json_array_append_new(list, one);
	}
	return list;
}

static char *names_of(const PGresult *rows)
{
	struct bm_strbuf names = BM_STRBUF_INIT;

	for (int row = 0; row < PQntuples(rows); row++) {
		bm_quote_array_add(&names, PQgetvalue(rows, row, TABLE));
	}
	return bm_quote_array_end(&names);
}

static void add_side(json_t *list, enum bm_side side, const PGresult *rows)
{
	size_t index;
	json_t *one;

	json_array_foreach(list, index, one)
	{
		const char *table = json_string_value(json_object_get(one, "table"));
		for (int row = 0; row < PQntuples(rows); row++) {
			if (strcmp(table, PQgetvalue(rows, row, TABLE)) == 0) {
				json_object_set_new(
						one, member_of(side), number(rows, row, BYTES));
			}
		}
	}
}

static int add_follower(
		struct bm_pass *pass, json_t *list, const char *names, struct bm_error *err)
{
	enum bm_side side = bm_pass_follower(pass);
	PGresult *rows = bm_phase_ask(pass->phase, side, room_sql, 1, &names, err);

	if (rows != NULL) {
		add_side(list, side, rows);
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

static int ask(struct bm_pass *pass, struct bm_error *err)
{
	const char *const params[] = {pass->phase->request.name, MOST};
	PGresult *rows = bm_phase_ask(
			pass->phase, pass->live, bm_largest_tables_sql, 2, params, err);

	if (rows == NULL) {
		return -1;
	}
	json_t *list = list_of(rows, pass->live);
	char *names = names_of(rows);
	int rc = add_follower(pass, list, names, err);
	PQclear(rows);
	free(names);
	json_object_set_new(pass->phase->evidence, "largest", list);
	return rc;
}

/* When to ask next, after a question that was begun then. */
static uint64_t next_msec(uint64_t begun)
{
	uint64_t now = bm_clock_msec(), rest = (now - begun) * REST_FACTOR;

	if (rest < REST_FIRST_MSEC) {
		rest = REST_FIRST_MSEC;
	}
	return now + (rest < REST_LIMIT_MSEC ? rest : REST_LIMIT_MSEC);
}

int bm_reconcile_largest_tables(struct bm_pass *pass, struct bm_error *err)
{
	uint64_t begun = bm_clock_msec();

	if (begun < pass->largest_at_msec) {
		return 0;
	}
	int rc = ask(pass, err);
	pass->largest_at_msec = next_msec(begun);
	if (rc != 0 && err->code == BM_ERR_SQL) {
		bm_pass_note(pass, "largest tables", err->message);
		*err = (struct bm_error)BM_ERROR_INIT;
		rc = 0;
	}
	return rc;
}
