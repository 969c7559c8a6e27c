/* Portions of a table whose rows are noted as changed, however slow the server is. */
#include "worker/tables/resend.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "worker/live/live.h"
#include "base/protocol/report.h"
#include "worker/tables/table_pause.h"

/* Of a table at once: what takes about a second, 160 MB at most, one block at least; and how
 * long at a time, because other things have to be done as well. */
#define TOUCH_BLOCKS_FIRST 16
#define TOUCH_BLOCKS_MOST 20000
#define TOUCH_FACTOR 4
#define TOUCH_QUICK_MSEC 1000
#define TOUCH_SLOW_MSEC 5000
#define TOUCH_MSEC 10000

/* Keys of the follower pass through the worker: of 8 MB of its table at once. */
#define SHIP_BLOCKS_MOST 1000

static const char timed_out[] = "57014"; /* SQLSTATE of what statement_timeout ended */

/* clang-format off */
static const char touch_function[] =
#include "worker/tables/sql/machine_touch.sql.inc"
;

static const char ship_function[] =
#include "worker/tables/sql/machine_ship.sql.inc"
;

static const char follower_sql[] =
#include "worker/tables/sql/follower_keys.sql.inc"
;

static const char columns_sql[] =
#include "worker/tables/sql/touches_columns.sql.inc"
;

static const char *const table_steps[] = {
	"SET client_min_messages = warning",
	"CREATE TABLE IF NOT EXISTS bucardo.machine_touches (tablename text PRIMARY KEY,"
	" file oid, block bigint NOT NULL DEFAULT 0, rows bigint NOT NULL DEFAULT 0)",
	columns_sql,
};

static const char *const function_steps[] = {touch_function, ship_function};

static const char hold_sql[] =
#include "worker/tables/sql/touches_hold.sql.inc"
;

/* What machine_ship() has to go on with: a key's columns are those of the delta table. */
static const char debt_sql[] =
#include "worker/deltas/sql/touched_key.sql.inc"
;
/* clang-format on */

int bm_resend_make_table(struct bm_phase *phase, enum bm_side side, struct bm_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(table_steps); i++) {
		rc = bm_phase_do(phase, side, table_steps[i], 0, NULL, err);
	}
	return rc;
}

static int prepare_side(struct bm_pass *pass, enum bm_side side, struct bm_error *err)
{
	int rc = bm_pause_prepare_side(pass, side, table_steps, BM_COUNT_OF(table_steps), err);

	return rc == 0 ? bm_pause_prepare_side(pass, side, function_steps,
					 BM_COUNT_OF(function_steps), err)
		       : -1;
}

int bm_resend_prepare(struct bm_pass *pass, struct bm_error *err)
{
	int rc = prepare_side(pass, BM_SIDE_SOURCE, err);

	return rc == 0 ? prepare_side(pass, BM_SIDE_DESTINATION, err) : -1;
}

/* ---- the live side ---- */

/*
 * A statement that writes deltas of the live side, which stays the live side meanwhile: old
 * rows are never sent over those that applications write elsewhere by now.
 */
static PGresult *ask_live(struct bm_pass *pass, const char *sql, int count,
		const char *const *params, struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;
	int held = bm_live_hold(pass, err);

	if (held == 0) {
		bm_error_set(err, BM_ERR_SQL, "the sides change places: it is tried again");
	}
	if (held <= 0) {
		return NULL;
	}
	PGresult *rows = bm_phase_ask(pass->phase, pass->live, sql, count, params, err);
	if (bm_live_release(pass, rows != NULL ? err : &ignored) != 0) {
		PQclear(rows);
		rows = NULL;
	}
	return rows;
}

static int do_live(struct bm_pass *pass, const char *sql, int count, const char *const *params,
		struct bm_error *err)
{
	PGresult *rows = bm_pass_applies(pass) ? ask_live(pass, sql, count, params, err) : NULL;
	int rc = rows != NULL || !bm_pass_applies(pass) ? 0 : -1;

	PQclear(rows);
	return rc;
}

/* clang-format off */
static const char request_sql[] =
#include "worker/tables/sql/touches_request.sql.inc"
;
/* clang-format on */

int bm_resend_request_rows(struct bm_pass *pass, const char *table, struct bm_error *err)
{
	return do_live(pass, request_sql, 1, &table, err);
}

/* clang-format off */
static const char request_both_sql[] =
#include "worker/tables/sql/touches_request_both.sql.inc"
;
/* clang-format on */

int bm_resend_request(
		struct bm_pass *pass, const char *table, const char *why, struct bm_error *err)
{
	const char *const params[] = {table, why};

	return do_live(pass, request_both_sql, 2, params, err);
}

void bm_resend_record_later(json_t *later, const char *table, const json_t *drift)
{
	size_t index;
	const json_t *one;

	json_array_foreach(drift, index, one)
	{
		if (json_is_true(json_object_get(one, "unsure"))) {
			json_object_set_new(later, table,
					json_string("until its drift was seen, rows may have been "
						    "lost or changed"));
		} else if (json_is_true(json_object_get(one, "twice")) &&
				json_object_get(later, table) == NULL) {
			json_object_set_new(later, table, json_null());
		}
	}
}

/* Where rows may be gone, keys that only the follower has go too: that has a reason. */
int bm_resend_hold(struct bm_pass *pass, const json_t *later, struct bm_error *err)
{
	char *text = json_dumps(later, JSON_COMPACT);
	const char *const params[] = {text};
	int rc = do_live(pass, hold_sql, 1, params, err);

	free(text);
	return rc;
}

PGresult *bm_resend_unseen(struct bm_pass *pass, struct bm_error *err)
{
	/* An answer of no rows, where there is no such table. */
	return bm_phase_ask(pass->phase, bm_pass_applies(pass) ? pass->live : BM_SIDE_SOURCE,
			"SELECT tablename, why FROM bucardo.machine_touches WHERE why IS NOT NULL"
			" AND NOT held ORDER BY 1",
			0, NULL, err);
}

/* ---- portions ---- */

/* However slow a server is, a portion is small enough in the end. */
static void adapt(struct bm_pass *pass, uint64_t took_msec)
{
	unsigned blocks = pass->touch_blocks;

	if (took_msec < TOUCH_QUICK_MSEC) {
		blocks *= TOUCH_FACTOR;
	} else if (took_msec > TOUCH_SLOW_MSEC) {
		blocks /= TOUCH_FACTOR;
	}
	blocks = blocks > 0 ? blocks : 1;
	pass->touch_blocks = blocks < TOUCH_BLOCKS_MOST ? blocks : TOUCH_BLOCKS_MOST;
}

/* After a portion that failed: 1 a smaller one may work, -1. */
static int after_failure(unsigned tried, struct bm_error *err)
{
	if (tried > 1 && strcmp(err->sqlstate, timed_out) == 0) {
		*err = (struct bm_error)BM_ERROR_INIT;
		return 1;
	}
	return -1;
}

/* 1: there is more of it, 0: that was all, -1. */
static int touch_some(struct bm_pass *pass, const char *table, struct bm_error *err)
{
	char blocks[16];
	const char *const params[] = {table, blocks};
	uint64_t begun = bm_clock_msec();
	unsigned tried = pass->touch_blocks;

	snprintf(blocks, sizeof(blocks), "%u", tried);
	PGresult *rows = ask_live(
			pass, "SELECT bucardo.machine_touch($1, $2::bigint)", 2, params, err);
	adapt(pass, bm_clock_msec() - begun);
	if (rows == NULL) {
		return after_failure(tried, err);
	}
	int more = PQgetisnull(rows, 0, 0);
	if (!more) {
		bm_report_note("all %s rows of %s are sent again", PQgetvalue(rows, 0, 0),
				table);
	}
	PQclear(rows);
	return more;
}

/* ---- keys that only the follower has ---- */

static const char *value_or_null(const PGresult *rows, int column)
{
	return PQgetisnull(rows, 0, column) ? NULL : PQgetvalue(rows, 0, column);
}

/* The statement that reads a portion, its file and the next block; a table that is not there
 * has no rows. */
static PGresult *plan_portion(struct bm_pass *pass, const char *table, const PGresult *debt,
		const char *blocks, struct bm_error *err)
{
	const char *const params[] = {table, PQgetvalue(debt, 0, 0), blocks,
			value_or_null(debt, 1), value_or_null(debt, 2)};

	return bm_phase_ask(pass->phase, bm_pass_follower(pass), follower_sql, 5, params, err);
}

/* 1: there is more of it, 0: that was all, -1. */
static int ship_portion(struct bm_pass *pass, const char *table, const PGresult *plan,
		struct bm_error *err)
{
	bool is_there = PQntuples(plan) > 0;
	PGresult *keys = is_there ? bm_phase_ask(pass->phase, bm_pass_follower(pass),
						    PQgetvalue(plan, 0, 0), 0, NULL, err)
				  : NULL;

	if (is_there && keys == NULL) {
		return -1;
	}
	const char *const params[] = {table, is_there ? PQgetvalue(keys, 0, 0) : "{}",
			is_there ? PQgetvalue(plan, 0, 1) : NULL,
			is_there ? value_or_null(plan, 2) : NULL};
	PGresult *rows = ask_live(pass,
			"SELECT bucardo.machine_ship($1, $2::text[], $3::oid, $4::bigint)", 4,
			params, err);
	int rc = rows == NULL ? -1 : params[3] != NULL;
	if (rc == 0 && strcmp(PQgetvalue(rows, 0, 0), "0") != 0) {
		bm_report_note("%s: %s keys that only the %s had are sent, so that they go there too",
				table, PQgetvalue(rows, 0, 0),
				bm_side_name(bm_pass_follower(pass)));
	}
	PQclear(rows);
	PQclear(keys);
	return rc;
}

static int ship_some(struct bm_pass *pass, const char *table, struct bm_error *err)
{
	PGresult *debt = bm_phase_ask(pass->phase, pass->live, debt_sql, 1, &table, err);
	char blocks[16];
	uint64_t begun = bm_clock_msec();
	unsigned tried = pass->touch_blocks < SHIP_BLOCKS_MOST ? pass->touch_blocks
							       : SHIP_BLOCKS_MOST;
	PGresult *plan = NULL;
	int rc = debt == NULL ? -1 : 0;

	snprintf(blocks, sizeof(blocks), "%u", tried);
	if (rc == 0 && PQntuples(debt) > 0 && !PQgetisnull(debt, 0, 0)) {
		plan = plan_portion(pass, table, debt, blocks, err);
		rc = plan == NULL ? -1 : ship_portion(pass, table, plan, err);
		adapt(pass, bm_clock_msec() - begun);
		rc = rc < 0 ? after_failure(tried, err) : rc;
	}
	PQclear(plan);
	PQclear(debt);
	return rc;
}

/* ---- all of it ---- */

/* One of the two until it is done or time is up; 1: there is more. */
static int repeat(struct bm_pass *pass, const char *table,
		int (*some)(struct bm_pass *pass, const char *table, struct bm_error *err),
		uint64_t end_msec, struct bm_error *err)
{
	int rc;

	do {
		rc = some(pass, table, err);
	} while (rc > 0 && bm_clock_msec() < end_msec);
	return rc;
}

/* What is gone goes first: it may be in the way of what comes, in a unique constraint. */
static int resend_some(struct bm_pass *pass, const char *table, bool shipped, uint64_t end_msec,
		struct bm_error *err)
{
	int rc = shipped ? 0 : repeat(pass, table, ship_some, end_msec, err);

	return rc == 0 ? repeat(pass, table, touch_some, end_msec, err) : rc;
}

/* Tables whose rows must not be sent now: what the follower has written while it was live is
 * newer than they are, and is not here yet. NULL with `err`. */
static json_t *find_newer(struct bm_pass *pass, struct bm_error *err)
{
	return pass->has_turned ? bm_live_waiting(pass, bm_pass_follower(pass), err)
				: json_object();
}

int bm_resend_run(struct bm_pass *pass, const json_t *running, struct bm_error *err)
{
	json_t *newer;

	if (!bm_pass_applies(pass)) {
		return 0;
	}
	PGresult *requested = bm_phase_ask(pass->phase, pass->live,
			"SELECT tablename, shipped OR why IS NULL FROM bucardo.machine_touches"
			" WHERE NOT held ORDER BY 1",
			0, NULL, err);
	uint64_t end_msec = bm_clock_msec() + TOUCH_MSEC;
	newer = requested != NULL && PQntuples(requested) > 0 ? find_newer(pass, err) : NULL;
	int rc = requested == NULL || (PQntuples(requested) > 0 && newer == NULL) ? -1 : 0;

	if (pass->touch_blocks == 0) {
		pass->touch_blocks = TOUCH_BLOCKS_FIRST;
	}
	for (int i = 0; rc >= 0 && i < PQntuples(requested); i++) {
		const char *table = PQgetvalue(requested, i, 0);
		if (json_object_get(running, table) != NULL &&
				json_object_get(newer, table) == NULL) {
			rc = resend_some(pass, table, PQgetvalue(requested, i, 1)[0] == 't',
					end_msec, err);
		}
	}
	PQclear(requested);
	json_decref(newer);
	return rc < 0 ? -1 : 0;
}
