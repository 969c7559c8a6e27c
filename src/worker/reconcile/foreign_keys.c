/* Seldom anything to do; what fails is tried ever more rarely. */
#include "worker/reconcile/foreign_keys.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "base/protocol/report.h"

#define LOOK_MSEC 60000
#define FIRST_WAIT_MSEC 3000
#define MOST_WAIT_MSEC 300000

/* clang-format off */
/* Those of partitions are their parent's. */
static const char unchecked_sql[] =
"SELECT k.conrelid::regclass::text, quote_ident(k.conname), format('ALTER TABLE %s VALIDATE CONSTRAINT %I',"
"  k.conrelid::regclass, k.conname)"
" FROM pg_constraint k WHERE k.contype = 'f' AND NOT k.convalidated AND k.conparentid = 0 ORDER BY 1, 2 LIMIT 20";

static const char valid_sql[] =
"SELECT 1 FROM pg_constraint k WHERE k.contype = 'f' AND k.convalidated"
" AND k.conrelid = to_regclass($1) AND quote_ident(k.conname) = $2";
/* clang-format on */

enum { TABLE, NAME, STATEMENT };

/* 1: the source has it, and it holds there; 0; -1. */
static int is_valid_on_source(
		struct bm_pass *pass, const char *table, const char *name, struct bm_error *err)
{
	const char *const params[] = {table, name};
	PGresult *rows = bm_phase_ask(pass->phase, BM_SIDE_SOURCE, valid_sql, 2, params, err);
	int rc = rows == NULL ? -1 : PQntuples(rows) > 0;

	PQclear(rows);
	return rc;
}

/* 0: it is valid now, or what the server refused stands in `list`. */
static int validate(struct bm_pass *pass, const PGresult *rows, int row, json_t *list,
		struct bm_error *err)
{
	const char *table = PQgetvalue(rows, row, TABLE), *name = PQgetvalue(rows, row, NAME);
	const char *statement = PQgetvalue(rows, row, STATEMENT);
	char *hint = bm_format("it is tried again; on the destination: %s", statement);
	int rc = bm_phase_do(pass->phase, BM_SIDE_DESTINATION, statement, 0, NULL, err);

	if (rc == 0) {
		bm_report_note("foreign key %s of %s is validated", name, table);
	} else if (err->code == BM_ERR_SQL) {
		json_array_append_new(list,
				json_pack("{s:s, s:s, s:s, s:s}", "table", table, "name", name,
						"why", err->message, "hint", hint));
		*err = (struct bm_error)BM_ERROR_INIT;
		rc = 0;
	}
	free(hint);
	return rc;
}

static void set_next_check(struct bm_pass *pass, bool is_waiting)
{
	uint64_t wait = pass->foreign_wait_msec * 2;

	if (!is_waiting) {
		wait = 0;
	} else if (wait < FIRST_WAIT_MSEC) {
		wait = FIRST_WAIT_MSEC;
	} else if (wait > MOST_WAIT_MSEC) {
		wait = MOST_WAIT_MSEC;
	}
	pass->foreign_wait_msec = wait;
	pass->foreign_at_msec = bm_clock_msec() + (is_waiting ? wait : LOOK_MSEC);
}

int bm_reconcile_foreign_keys(struct bm_pass *pass, struct bm_error *err)
{
	if (bm_clock_msec() < pass->foreign_at_msec) {
		return 0;
	}
	PGresult *rows = bm_phase_ask(
			pass->phase, BM_SIDE_DESTINATION, unchecked_sql, 0, NULL, err);
	if (rows == NULL) {
		return -1;
	}
	json_t *list = json_array();
	int rc = 0;
	for (int row = 0; rc >= 0 && row < PQntuples(rows); row++) {
		rc = is_valid_on_source(pass, PQgetvalue(rows, row, TABLE),
				PQgetvalue(rows, row, NAME), err);
		rc = rc > 0 ? validate(pass, rows, row, list, err) : rc;
	}
	PQclear(rows);
	set_next_check(pass, json_array_size(list) > 0);
	json_object_set_new(pass->phase->evidence, "unchecked", list);
	return rc < 0 ? -1 : 0;
}
