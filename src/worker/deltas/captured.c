/* Bucardo's list of delta tables, read where it may be believed. */
#include "worker/deltas/captured.h"

#include <stdlib.h>

#include "bucardo_machine/alloc.h"

/* clang-format off */
static const char can_read_sql[] =
#include "worker/deltas/sql/may_read_captured.sql.inc"
;
/* clang-format on */

static const char captured_sql[] = "SELECT coalesce(array_agg(DISTINCT tablename), '{}')"
				   " FROM bucardo.bucardo_delta_names";

char *bm_captured_tables(struct bm_phase *phase, enum bm_side side, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(phase, side, can_read_sql, 0, NULL, err);
	bool can_read = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';
	char *list = rows != NULL && !can_read ? bm_strdup("{}") : NULL;

	PQclear(rows);
	if (can_read) {
		rows = bm_phase_ask(phase, side, captured_sql, 0, NULL, err);
		list = rows != NULL ? bm_strdup(PQgetvalue(rows, 0, 0)) : NULL;
		PQclear(rows);
	}
	return list;
}
