/*
 * The fence of the side that is left: triggers that are there beforehand, switched off, so that
 * they cost writers nothing, and are switched on under the lock. They ask no table whether to
 * refuse: a transaction with an older snapshot would still read that it may write. What they
 * ask is whether this side was opened again after them.
 */
#include "worker/cutover/attempt.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/libpq.h"
#include "base/protocol/report.h"
#include "worker/session/ask.h"

#define ASK_MSEC 10000

/* How long writers of some table may keep us from its trigger. */
#define ARM_LIMIT_MSEC 30000
#define REST_LIMIT_MSEC 2000
#define PAUSE_MSEC 100

/* clang-format off */
static const char refuse_sql[] =
#include "worker/cutover/sql/refuse_text.sql.inc"
;
static const char enabled_sql[] =
#include "worker/cutover/sql/enabled_triggers.sql.inc"
;
static const char missing_sql[] =
#include "worker/live/sql/fence_missing.sql.inc"
;
/* clang-format on */

/* ---- one table after the other, each under a short lock ---- */

static bool is_busy(const struct bm_error *err)
{
	return strcmp(err->sqlstate, "55P03") == 0 || strcmp(err->sqlstate, "40P01") == 0 ||
			strcmp(err->sqlstate, "57014") == 0;
}

/* The statements that `sql` lists: those that are busy are left; -1 when one is refused. */
static int do_round(struct bm_cutover *c, enum bm_side side, const char *sql, int count,
		const char *const *params, int *left, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(c->phase, side, sql, count, params, err);
	int rc = rows != NULL ? 0 : -1;

	*left = 0;
	for (int row = 0; rc == 0 && row < PQntuples(rows); row++) {
		PGconn *conn = bm_phase_conn(c->phase, side, err);
		PGresult *result = conn != NULL
				? bm_ask_script(conn, PQgetvalue(rows, row, 1), ASK_MSEC, err)
				: NULL;
		if (result == NULL && conn != NULL && is_busy(err)) {
			(*left)++;
			snprintf(c->detail, sizeof(c->detail), "%.300s is busy",
					PQgetvalue(rows, row, 0));
		} else if (result == NULL) {
			rc = bm_error_wrap(err, "%.200s", PQgetvalue(rows, row, 0));
		}
		PQclear(result);
	}
	PQclear(rows);
	return rc;
}

static int do_all(struct bm_cutover *c, enum bm_side side, const char *sql, int count,
		const char *const *params, uint64_t limit_msec, struct bm_error *err)
{
	uint64_t end_msec = bm_clock_msec() + limit_msec;
	int left = 1;

	while (left > 0) {
		if (do_round(c, side, sql, count, params, &left, err) != 0) {
			return -1;
		}
		if (left > 0 && bm_clock_msec() >= end_msec) {
			return bm_error_set(err, BM_ERR_TIMEOUT,
					"writers kept us from %d of its tables: %s", left,
					c->detail);
		}
		poll(NULL, 0, left > 0 ? PAUSE_MSEC : 0);
	}
	c->detail[0] = '\0';
	*err = (struct bm_error)BM_ERROR_INIT;
	return 0;
}

/* ---- made, and switched off ---- */

static char *function_of(const struct bm_cutover *c, enum bm_side side)
{
	return bm_format("%s.machine_refuse_%s()", bm_cutover_schema(side),
			c->phase->request.name);
}

static int switch_off(struct bm_cutover *c, enum bm_side side, uint64_t limit_msec,
		struct bm_error *err)
{
	char *function = function_of(c, side);
	const char *const params[] = {function};
	int rc = do_all(c, side, enabled_sql, 1, params, limit_msec, err);

	free(function);
	return rc;
}

void bm_cutover_rest(struct bm_cutover *c, enum bm_side side)
{
	struct bm_error ignored = BM_ERROR_INIT;

	switch_off(c, side, REST_LIMIT_MSEC, &ignored);
}

static int make_function(struct bm_cutover *c, bool rests, struct bm_error *err)
{
	const struct bm_phase_endpoint *to = bm_phase_endpoint(c->phase, c->to);
	char serial[24], turn[24];
	char *address = bm_format("%s:%u/%s", to->host, to->port, to->dbname);
	const char *const params[] = {bm_side_name(c->from), c->phase->request.name, serial,
			turn, address, rests ? "t" : "f"};

	snprintf(serial, sizeof(serial), "%" PRId64, c->serial);
	snprintf(turn, sizeof(turn), "%" PRId64, c->turn);
	PGresult *rows = bm_phase_ask(c->phase, c->from, refuse_sql, 6, params, err);
	free(address);
	int rc = rows != NULL
			? bm_phase_do(c->phase, c->from, PQgetvalue(rows, 0, 0), 0, NULL, err)
			: -1;
	PQclear(rows);
	return rc;
}

static int make_triggers(struct bm_cutover *c, struct bm_error *err)
{
	struct bm_strbuf oids = BM_STRBUF_INIT;

	for (size_t i = 0; i < c->table_count; i++) {
		bm_quote_array_add(&oids, c->tables[i].oid);
	}
	char *list = bm_quote_array_end(&oids), *function = function_of(c, c->from);
	const char *const params[] = {list, function, c->phase->request.name, "DISABLE"};
	int rc = do_all(c, c->from, missing_sql, 4, params, ARM_LIMIT_MSEC, err);
	free(list);
	free(function);
	return rc;
}

void bm_cutover_disarm(struct bm_cutover *c)
{
	struct bm_error failed = BM_ERROR_INIT;

	if (make_function(c, true, &failed) != 0) {
		bm_report_note("the fence's function on the %s was not put to rest (%s): no ENABLE "
			       "TRIGGER ALL there until the next attempt",
				bm_side_name(c->from), failed.message);
	}
}

int bm_cutover_arm(struct bm_cutover *c, struct bm_error *err)
{
	int rc = bm_cutover_read_tables(c, err);

	rc = rc == 0 ? bm_cutover_check_new(c, err) : -1;
	if (rc == 0 && c->table_count == 0) {
		rc = bm_error_set(err, BM_ERR_PRECONDITION, "the %s has no tables",
				bm_side_name(c->from));
	}
	if (rc == 0) {
		rc = switch_off(c, c->from, ARM_LIMIT_MSEC, err);
	}
	if (rc == 0) {
		rc = bm_record_begin(c, err);
	}
	if (rc == 0) {
		rc = make_function(c, false, err); /* while no trigger calls it */
	}
	if (rc == 0) {
		rc = make_triggers(c, err);
	}
	return rc == 0 ? 0
		       : bm_error_wrap(err, "putting the fence's triggers on the %s",
					 bm_side_name(c->from));
}

/* ---- switched on ---- */

static void add_enable(const struct bm_cutover *c, const struct bm_cutover_table *table,
		const char *suffix, struct bm_strbuf *sql)
{
	bm_strbuf_printf(sql,
			"ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER bucardo_machine_refuse%s_%s;",
			table->name, suffix, c->phase->request.name);
}

/* The live side as the rest of the machine knows it, when it is the destination that is left.
 */
static void add_raise(const struct bm_cutover *c, struct bm_strbuf *sql)
{
	if (c->from == BM_SIDE_DESTINATION) {
		bm_strbuf_printf(sql,
				"UPDATE bucardo_machine.fence SET lifted = NULL, lifted_by = NULL,"
				" forced = NULL, turn = %" PRId64 ";",
				c->turn + 1);
	}
}

int bm_cutover_fence(struct bm_cutover *c, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	for (size_t i = 0; i < c->table_count; i++) {
		add_enable(c, &c->tables[i], "", &sql);
		if (c->tables[i].is_fed) {
			add_enable(c, &c->tables[i], "_rows", &sql);
		}
	}
	add_raise(c, &sql);
	int rc = bm_budget_script(c, c->freeze, bm_strbuf_text(&sql), err);
	bm_strbuf_finish(&sql);
	if (rc == 0) {
		rc = bm_record_fence(c, err);
	}
	if (rc == 0 && c->request->is_manual) {
		rc = bm_cutover_check_drained(c, err);
		/* Nothing was locked when they were asked before. */
		rc = rc == 0 ? bm_cutover_check_prints(c, err) : -1;
	}
	rc = rc == 0 ? bm_cutover_refuse_late(c, err) : -1;
	/* Whoever holds the side's lock decides: that must still be us. */
	if (rc == 0) {
		rc = bm_budget_do(c, c->hold, "SELECT 1", 0, NULL, err);
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "raising the fence");
}
