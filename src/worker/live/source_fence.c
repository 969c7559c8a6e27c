/*
 * The fence of the source after a cut-over: tables that are made there later get behind it too.
 * Which triggers a cut-over makes, and of which tables, are the same statements
 * (worker/cutover).
 */
#include "worker/live/live.h"

#include <stdio.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/strbuf.h"
#include "base/protocol/report.h"
#include "worker/schema/selected_tables.h"
#include "worker/session/ask.h"

/* Writers of a new table wait for us no longer than that. */
#define SHORT_LOCK "SET LOCAL lock_timeout = '500ms'; "
#define MAKE_MSEC 5000

#define UNFINISHED "an unfinished cut-over"

/* clang-format off */
static const char tables_sql[] =
#include "worker/live/sql/fence_tables.sql.inc"
;
static const char missing_sql[] =
#include "worker/live/sql/fence_missing.sql.inc"
;
/* clang-format on */

int bm_live_is_source_fenced(struct bm_pass *pass, bool *is_fenced, struct bm_error *err)
{
	const char *const name[] = {pass->phase->request.name};
	PGresult *there = bm_phase_ask(pass->phase, BM_SIDE_SOURCE,
			"SELECT to_regclass('bucardo.machine_cutovers') IS NOT NULL", 0, NULL,
			err);
	bool is_there = there != NULL && PQgetvalue(there, 0, 0)[0] == 't';
	PGresult *rows = !is_there
			? NULL
			: bm_phase_ask(pass->phase, BM_SIDE_SOURCE,
					  "SELECT 1 FROM bucardo.machine_cutovers"
					  " WHERE migration = $1 AND state = 'fenced'",
					  1, name, err);

	*is_fenced = rows != NULL && PQntuples(rows) > 0;
	int rc = there != NULL && (!is_there || rows != NULL) ? 0 : -1;
	PQclear(there);
	PQclear(rows);
	return rc;
}

/* The tables of the source, as a literal of oid[]; NULL with `err`. */
static char *read_tables(struct bm_phase *phase, struct bm_error *err)
{
	struct bm_strbuf oids = BM_STRBUF_INIT;
	char *outside = bm_selected_outside(phase, BM_SIDE_SOURCE, err);
	const char *const params[] = {outside};
	PGresult *rows = outside != NULL
			? bm_phase_ask(phase, BM_SIDE_SOURCE, tables_sql, 1, params, err)
			: NULL;

	free(outside);
	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		bm_quote_array_add(&oids, PQgetvalue(rows, row, 1));
	}
	char *list = bm_quote_array_end(&oids);
	if (rows == NULL) {
		free(list);
		list = NULL;
	}
	PQclear(rows);
	return list;
}

/* Whether there is anything in it: nobody carries that. */
static bool has_rows(struct bm_phase *phase, const char *table)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *row = bm_phase_ask(phase, BM_SIDE_SOURCE,
			"SELECT pg_relation_size(to_regclass($1)) > 0", 1, &table, &ignored);
	bool has = row != NULL && PQgetvalue(row, 0, 0)[0] == 't';

	PQclear(row);
	return has;
}

static int make_triggers(struct bm_phase *phase, const char *table, const char *sql,
		struct bm_error *err)
{
	PGconn *conn = bm_phase_conn(phase, BM_SIDE_SOURCE, err);
	char *text = bm_format(SHORT_LOCK "%s", sql);
	PGresult *made = conn != NULL ? bm_ask_script(conn, text, MAKE_MSEC, err) : NULL;

	free(text);
	if (made != NULL) {
		bm_report_note("%s of the source is behind the fence too: it was made %s",
				table,
				has_rows(phase, table)
						? "while the sides changed places, or later, and has "
						  "rows that are on no other side: look at them, and "
						  "copy them to the destination"
						: "after the cut-over");
	}
	PQclear(made);
	return made != NULL ? 0 : bm_error_wrap(err, "%.200s is not behind the fence", table);
}

/* A table that is busy is looked at again in the next pass, and the others come meanwhile. */
static int fence_missing(struct bm_phase *phase, struct bm_error *err)
{
	char *list = read_tables(phase, err);
	char *function = bm_format("bucardo.machine_refuse_%s()", phase->request.name);
	const char *const params[] = {list, function, phase->request.name, "ENABLE ALWAYS"};
	PGresult *rows = list != NULL
			? bm_phase_ask(phase, BM_SIDE_SOURCE, missing_sql, 4, params, err)
			: NULL;
	int rc = rows != NULL ? 0 : -1;

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		struct bm_error failed = BM_ERROR_INIT;
		if (make_triggers(phase, PQgetvalue(rows, row, 0), PQgetvalue(rows, row, 1),
				    &failed) != 0) {
			*err = failed;
			rc = -1;
		}
	}
	PQclear(rows);
	free(function);
	free(list);
	return rc;
}

/* An attempt that was committed and never opened the other side, of a machine that is gone: for
 * a moment that is so in each cut-over. */
static int look_at_unfinished(struct bm_pass *pass, struct bm_error *err)
{
	bool is_fenced = false;
	char text[400];

	if (bm_live_is_source_fenced(pass, &is_fenced, err) != 0) {
		return -1;
	}
	if (is_fenced) {
		snprintf(text, sizeof(text),
				"no side can be written to: a cut-over was committed on the source, and "
				"the destination was never opened; bucardo-machine cutover %s finishes it",
				pass->phase->request.name);
		bm_pass_problem(pass, UNFINISHED, text);
	} else {
		bm_pass_solved(pass, UNFINISHED);
	}
	return 0;
}

int bm_live_keep_source_fence(struct bm_pass *pass, struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;
	bool is_fenced = false;

	if (pass->live != BM_SIDE_DESTINATION) {
		return look_at_unfinished(pass, err);
	}
	bm_pass_solved(pass, UNFINISHED);
	int held = bm_live_hold(pass, err);
	if (held <= 0) {
		return held;
	}
	int rc = bm_live_is_source_fenced(pass, &is_fenced, err);
	if (rc == 0 && is_fenced) {
		rc = fence_missing(pass->phase, err);
	}
	int released = bm_live_release(pass, rc == 0 ? err : &ignored);
	return rc == 0 ? released : -1;
}
