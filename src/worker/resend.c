/* Portions of a table whose rows are noted as changed, however slow the server is. */
#include "worker/resend.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "worker/report.h"
#include "worker/tend_pause.h"

/* Of a table at once: what takes about a second, 160 MB at most, one block at least; and how
 * long at a time, because other things are to be tended to as well. */
#define TOUCH_BLOCKS_FIRST 16
#define TOUCH_BLOCKS_MOST 20000
#define TOUCH_FACTOR 4
#define TOUCH_QUICK_MSEC 1000
#define TOUCH_SLOW_MSEC 5000
#define TOUCH_MSEC 10000

static const char timed_out[] = "57014"; /* SQLSTATE of what statement_timeout ended */

/* clang-format off */
static const char touch_function[] =
#include "worker/sql/machine_touch.sql.inc"
;

static const char *const prepare_steps[] = {
	"SET client_min_messages = warning",
	"CREATE TABLE IF NOT EXISTS bucardo.machine_touches (tablename text PRIMARY KEY,"
	" file oid, block bigint NOT NULL DEFAULT 0, rows bigint NOT NULL DEFAULT 0)",
	touch_function,
};
/* clang-format on */

int bm_resend_prepare(struct bm_tend *tend, struct bm_error *err)
{
	size_t count = BM_COUNT_OF(prepare_steps);
	int rc = bm_tend_prepare_end(tend, BM_END_SOURCE, prepare_steps, count, err);

	return rc == 0 ? bm_tend_prepare_end(
					 tend, BM_END_DESTINATION, prepare_steps, count, err)
		       : -1;
}

int bm_touch_owe(struct bm_tend *tend, const char *table, struct bm_error *err)
{
	if (!bm_tend_carries(tend)) {
		return 0;
	}
	return bm_phase_do(tend->phase, tend->live,
			"INSERT INTO bucardo.machine_touches AS t (tablename) VALUES ($1)"
			" ON CONFLICT (tablename) DO UPDATE SET file = NULL WHERE t.file IS NOT NULL",
			1, &table, err);
}

/* However slow a server is, a portion is small enough in the end. */
static void adapt(struct bm_tend *tend, uint64_t took_msec)
{
	unsigned blocks = tend->touch_blocks;

	if (took_msec < TOUCH_QUICK_MSEC) {
		blocks *= TOUCH_FACTOR;
	} else if (took_msec > TOUCH_SLOW_MSEC) {
		blocks /= TOUCH_FACTOR;
	}
	blocks = blocks > 0 ? blocks : 1;
	tend->touch_blocks = blocks < TOUCH_BLOCKS_MOST ? blocks : TOUCH_BLOCKS_MOST;
}

/* 1: there is more of it, 0: that was all, -1. */
static int touch_some(struct bm_tend *tend, const char *table, struct bm_error *err)
{
	char blocks[16];
	const char *const params[] = {table, blocks};
	uint64_t begun = bm_clock_msec();
	unsigned tried = tend->touch_blocks;

	snprintf(blocks, sizeof(blocks), "%u", tried);
	PGresult *rows = bm_phase_ask(tend->phase, tend->live,
			"SELECT bucardo.machine_touch($1, $2::bigint)", 2, params, err);
	adapt(tend, bm_clock_msec() - begun);
	if (rows == NULL && tried > 1 && strcmp(err->sqlstate, timed_out) == 0) {
		*err = (struct bm_error)BM_ERROR_INIT;
		return 1;
	}
	if (rows == NULL) {
		return -1;
	}
	int more = PQgetisnull(rows, 0, 0);
	if (!more) {
		bm_report_note("all %s rows of %s are sent again", PQgetvalue(rows, 0, 0),
				table);
	}
	PQclear(rows);
	return more;
}

int bm_touch_pay(struct bm_tend *tend, const json_t *running, struct bm_error *err)
{
	if (!bm_tend_carries(tend)) {
		return 0;
	}
	PGresult *owed = bm_phase_ask(tend->phase, tend->live,
			"SELECT tablename FROM bucardo.machine_touches ORDER BY 1", 0, NULL,
			err);
	uint64_t end_msec = bm_clock_msec() + TOUCH_MSEC;
	int rc = owed != NULL ? 0 : -1;

	if (tend->touch_blocks == 0) {
		tend->touch_blocks = TOUCH_BLOCKS_FIRST;
	}
	for (int i = 0; rc == 0 && i < PQntuples(owed); i++) {
		const char *table = PQgetvalue(owed, i, 0);
		if (json_object_get(running, table) == NULL) {
			continue;
		}
		do {
			rc = touch_some(tend, table, err);
		} while (rc > 0 && bm_clock_msec() < end_msec);
	}
	PQclear(owed);
	return rc < 0 ? -1 : 0;
}
