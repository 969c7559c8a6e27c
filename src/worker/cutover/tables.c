/* The tables that are locked and fenced, and the order of their locks. */
#include "worker/cutover/attempt.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/libpq.h"
#include "worker/schema/selected_tables.h"

/* Looks at what writers hold, before the freeze. */
#define LOOKS 12
#define LOOK_MSEC 8

/* clang-format off */
static const char list_sql[] =
#include "worker/live/sql/fence_tables.sql.inc"
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
}

int bm_cutover_read_tables(struct bm_cutover *c, struct bm_error *err)
{
	char *outside = bm_selected_outside(c->phase, err);
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
