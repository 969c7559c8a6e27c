/*
 * The row on the side that is left: which attempt it is, and whether it was committed.
 *
 *     begun   written before the freeze
 *     fenced  in the transaction of the freeze: committed with it, or never there
 *     open    applications write to this side again
 */
#include "worker/cutover/attempt.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/fence.h"
#include "base/protocol/report.h"
#include "worker/session/ask.h"

#define ASK_MSEC 10000
/* An answer to COMMIT that takes longer is as good as lost. */
#define COMMIT_MSEC 5000
/* How long a side that went away in the COMMIT is waited for. */
#define RESOLVE_MSEC 60000
#define RESOLVE_PAUSE_MSEC 100

/* clang-format off */
static const char make_sql[] =
"CREATE TABLE IF NOT EXISTS %s.machine_cutovers (migration text PRIMARY KEY, number bigint NOT NULL,"
" serial bigint NOT NULL, turn bigint NOT NULL, direction text NOT NULL, state text NOT NULL,"
" at timestamptz NOT NULL DEFAULT clock_timestamp())";

static const char widen_sql[] =
"ALTER TABLE %s.machine_cutovers ADD COLUMN IF NOT EXISTS hooks text[] NOT NULL DEFAULT '{}'";

static const char begin_sql[] =
"INSERT INTO %s.machine_cutovers AS c (migration, number, serial, turn, direction, state)"
" VALUES ($1, $2::bigint, 1, $3::bigint, $4, 'begun') ON CONFLICT (migration) DO UPDATE SET number ="
" excluded.number, serial = c.serial + 1, turn = excluded.turn, direction = excluded.direction,"
" state = 'begun', at = clock_timestamp(), hooks = DEFAULT RETURNING serial";

static const char fence_sql[] =
"UPDATE %s.machine_cutovers SET state = 'fenced', at = clock_timestamp() WHERE migration = $1"
" AND number = $2::bigint AND turn = $3::bigint AND direction = $4 AND state = 'begun' RETURNING 1";

static const char read_sql[] =
"SELECT state = 'fenced' FROM %s.machine_cutovers WHERE migration = $1 AND number = $2::bigint"
" AND direction = $4 AND turn >= $3::bigint - 1";

/* The hooks after the commit that are done. */
static const char hooks_sql[] =
"SELECT unnest(hooks) FROM %s.machine_cutovers WHERE migration = $1 AND number = $2::bigint"
" AND direction = $4 AND turn >= $3::bigint - 1";

static const char hook_done_sql[] =
"UPDATE %s.machine_cutovers SET hooks = hooks || $5::text WHERE migration = $1 AND number = $2::bigint"
" AND direction = $4 AND turn >= $3::bigint - 1";

/* Whoever of ours holds it is of an attempt whose worker is gone. */
static const char end_sql[] =
"SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
" WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = 'bucardo-machine cutover'"
" AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
" AND l.classid = " BM_FENCE_LOCKS " AND l.objid = $1::oid AND l.objsubid = 2";
/* clang-format on */

/* A statement about the row of this attempt, with its four parameters. */
struct about {
	char *sql, number[24], turn[24];
	const char *params[5];
};

static void begin_about(const struct bm_cutover *c, const char *sql, struct about *about)
{
	const char *place = strstr(sql, "%s");

	about->sql = bm_format("%.*s%s%s", (int)(place - sql), sql, bm_cutover_schema(c->from),
			place + 2);
	snprintf(about->number, sizeof(about->number), "%" PRIu64, c->request->number);
	snprintf(about->turn, sizeof(about->turn), "%" PRId64, c->turn);
	about->params[0] = c->phase->request.name;
	about->params[1] = about->number;
	about->params[2] = about->turn;
	about->params[3] = c->phase->request.phase;
}

int bm_record_begin(struct bm_cutover *c, struct bm_error *err)
{
	struct about about;
	PGresult *rows = NULL;

	begin_about(c, make_sql, &about);
	int rc = bm_phase_do(c->phase, c->from, about.sql, 0, NULL, err);
	free(about.sql);
	if (rc == 0) {
		begin_about(c, widen_sql, &about);
		rc = bm_phase_do(c->phase, c->from, about.sql, 0, NULL, err);
		free(about.sql);
	}
	if (rc == 0) {
		begin_about(c, begin_sql, &about);
		rows = bm_phase_ask(c->phase, c->from, about.sql, 4, about.params, err);
		free(about.sql);
	}
	if (rows == NULL) {
		return bm_error_wrap(err, "writing down the attempt on the %s",
				bm_side_name(c->from));
	}
	c->serial = strtoll(PQgetvalue(rows, 0, 0), NULL, 10);
	PQclear(rows);
	return 0;
}

int bm_record_fence(struct bm_cutover *c, struct bm_error *err)
{
	struct about about;

	begin_about(c, fence_sql, &about);
	PGresult *rows = bm_budget_ask(c, c->freeze, about.sql, 4, about.params, err);
	free(about.sql);
	int count = rows != NULL ? PQntuples(rows) : -1;
	PQclear(rows);
	if (count == 0) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"somebody else has begun an attempt meanwhile");
	}
	return count == 1 ? 0 : -1;
}

PGresult *bm_record_hooks(struct bm_cutover *c, struct bm_error *err)
{
	struct about about;

	begin_about(c, hooks_sql, &about);
	PGresult *rows = bm_phase_ask(c->phase, c->from, about.sql, 4, about.params, err);
	free(about.sql);
	return rows;
}

int bm_record_hook_done(struct bm_cutover *c, const char *name, struct bm_error *err)
{
	struct about about;

	begin_about(c, hook_done_sql, &about);
	about.params[4] = name;
	int rc = bm_phase_do(c->phase, c->from, about.sql, 5, about.params, err);
	free(about.sql);
	return rc;
}

/* ---- was it committed? ---- */

int bm_cutover_take_lock(struct bm_cutover *c, PGconn *conn, const char *key,
		uint64_t limit_msec, bool to_end, struct bm_error *err)
{
	char limit[24];
	const char *const params[] = {limit}, *const keys[] = {key};
	char *sql = bm_format("SELECT pg_advisory_lock(" BM_FENCE_LOCKS ", %s)", key);
	int rc = -1;

	snprintf(limit, sizeof(limit), "%" PRIu64, limit_msec);
	for (int round = 0; rc != 0 && round < 2; round++) {
		*err = (struct bm_error)BM_ERROR_INIT;
		rc = bm_budget_do(c, conn, "SELECT set_config('lock_timeout', $1, false)", 1,
				params, err);
		PGresult *locked = rc == 0
				? bm_ask(conn, sql, 0, NULL, limit_msec + ASK_MSEC, err)
				: NULL;
		rc = locked != NULL ? 0 : -1;
		PQclear(locked);
		if (rc != 0 &&
				(!to_end || strcmp(err->sqlstate, "55P03") != 0 ||
						bm_budget_do(c, conn, end_sql, 1, keys, err) !=
								0)) {
			break;
		}
	}
	free(sql);
	return rc;
}

static int read_row(struct bm_cutover *c, bool *is_committed, struct bm_error *err)
{
	char *name = bm_format("%s.machine_cutovers", bm_cutover_schema(c->from));
	const char *const params[] = {name};
	struct about about;
	PGresult *rows = bm_budget_ask(
			c, c->freeze, "SELECT to_regclass($1) IS NOT NULL", 1, params, err);
	bool is_there = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';
	int rc = rows != NULL ? 0 : -1;

	free(name);
	PQclear(rows);
	*is_committed = false;
	if (rc == 0 && is_there) {
		begin_about(c, read_sql, &about);
		rows = bm_budget_ask(c, c->freeze, about.sql, 4, about.params, err);
		free(about.sql);
		rc = rows != NULL ? 0 : -1;
		*is_committed = rc == 0 && PQntuples(rows) > 0 &&
				PQgetvalue(rows, 0, 0)[0] == 't';
		PQclear(rows);
	}
	return rc;
}

int bm_record_resolve(struct bm_cutover *c, bool *is_committed, struct bm_error *err)
{
	PQfinish(c->freeze);
	c->freeze = bm_cutover_connect(c, c->from, err);
	/* No transaction of an attempt is under way there, once we have its lock. */
	if (c->freeze == NULL ||
			bm_cutover_take_lock(c, c->freeze, BM_CUTOVER_LOCK_FREEZE,
					c->request->budget_msec + 1000, true, err) != 0 ||
			read_row(c, is_committed, err) != 0) {
		return bm_error_wrap(err, "asking the %s whether it was committed",
				bm_side_name(c->from));
	}
	PQfinish(c->freeze);
	c->freeze = NULL;
	return 0;
}

/* Its answer was lost. */
static int find_out(struct bm_cutover *c, struct bm_error *err)
{
	uint64_t end_msec = bm_clock_msec() + RESOLVE_MSEC;
	bool is_committed = false;
	int rc;

	bm_report_note("the answer to COMMIT was lost: %s; asking the %s whether it was "
		       "committed",
			err->message, bm_side_name(c->from));
	c->is_unknown = true;
	do {
		*err = (struct bm_error)BM_ERROR_INIT;
		rc = bm_record_resolve(c, &is_committed, err);
		if (rc != 0) {
			poll(NULL, 0, RESOLVE_PAUSE_MSEC);
		}
	} while (rc != 0 && bm_clock_msec() < end_msec);
	c->is_unknown = rc != 0;
	if (rc == 0 && !is_committed) {
		rc = bm_error_set(err, BM_ERR_TIMEOUT,
				"the connection was lost, and the %s has rolled it back",
				bm_side_name(c->from));
	}
	return rc;
}

int bm_cutover_commit(struct bm_cutover *c, struct bm_error *err)
{
	if (bm_budget_check(c, err) != 0) {
		return -1;
	}
	if (PQtransactionStatus(c->freeze) != PQTRANS_INTRANS) {
		return bm_error_set(err, BM_ERR_INTERNAL, "its transaction is over already");
	}
	PGresult *result = bm_ask(c->freeze, "COMMIT", 0, NULL, COMMIT_MSEC, err);
	int rc = result != NULL ? 0 : -1;

	if (rc != 0 && err->code != BM_ERR_SQL) {
		rc = find_out(c, err);
	}
	PQclear(result);
	if (rc == 0) {
		c->is_committed = true;
		c->committed_msec = bm_clock_msec();
	}
	return rc;
}
