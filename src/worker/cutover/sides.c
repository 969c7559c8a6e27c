/* Which side is live, held as it is while we change it; and the sequences of the other one. */
#include "worker/cutover/attempt.h"

#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/fence.h"
#include "base/protocol/report.h"
#include "worker/live/pass.h"
#include "worker/reconcile/lead.h"
#include "worker/session/ask.h"
#include "worker/session/conninfo.h"

#define CONNECT_MSEC 15000
#define CARRY_MSEC 60000

/* `worker reconcile` lets go when it has done what it is at. */
#define HOLD_LIMIT_MSEC 20000

/* After the point of no return nothing else is to be done: that long at once, then again. */
#define OPEN_LIMIT_MSEC 60000
#define OPEN_PAUSE_MSEC 20

/* clang-format off */
static const char sight_sql[] =
"SELECT count(*), count(f.lifted) > 0, coalesce(max(f.turn), 0),"
" (SELECT string_agg(h.migration, ', ' ORDER BY h.migration) FROM bucardo_machine.handover h"
"  WHERE h.migration <> $1) FROM bucardo_machine.fence f";

static const char lift_sql[] =
"UPDATE bucardo_machine.fence SET lifted = now(), lifted_by = session_user, turn = turn + 1,"
" forced = NULL WHERE lifted IS NULL";

static const char is_closed_sql[] =
"SELECT 1 FROM bucardo.machine_cutovers WHERE migration = $1 AND state = 'fenced'";

static const char reopen_sql[] =
"UPDATE bucardo.machine_cutovers SET state = 'open', at = clock_timestamp()"
" WHERE migration = $1 AND state = 'fenced'";
/* clang-format on */

const char *bm_cutover_schema(enum bm_side side)
{
	return side == BM_SIDE_SOURCE ? "bucardo" : "bucardo_machine";
}

PGconn *bm_cutover_connect(struct bm_cutover *c, enum bm_side side, struct bm_error *err)
{
	struct bm_conninfo info = {0};
	struct bm_error refused = BM_ERROR_INIT;
	char limit[24];

	/* A server that works reads nothing meanwhile, and what the applier sends waits in the
	 * network: that is no lost connection. */
	snprintf(limit, sizeof(limit), "%u",
			side == c->from ? c->request->budget_msec + 1000 : CARRY_MSEC);
	bm_conninfo_put(&info, "application_name", "bucardo-machine cutover");
	bm_conninfo_put(&info, "tcp_user_timeout", limit);
	bm_phase_conninfo(c->phase, side, &info);
	bm_conninfo_defaults(&info);
	PGconn *conn = bm_ask_connect(&info, BM_SESSION_WORKER, CONNECT_MSEC, err);
	bm_conninfo_finish(&info);
	if (conn == NULL) {
		bm_error_wrap(err, "cannot connect to the %s", bm_side_name(side));
		return NULL;
	}
	PQclear(bm_ask(conn, BM_SESSION_REPLICA_SQL, 0, NULL, CONNECT_MSEC, &refused));
	/* A pod that is gone must not keep its locks for hours. */
	PQclear(bm_ask(conn,
			"SELECT set_config('tcp_keepalives_idle', '3', false),"
			" set_config('tcp_keepalives_interval', '2', false),"
			" set_config('tcp_keepalives_count', '2', false)",
			0, NULL, CONNECT_MSEC, &refused));
	/* So that an autovacuum in the way is ended soon; a plain role may not. */
	PQclear(bm_ask(conn, "SELECT set_config('deadlock_timeout', '50ms', false)", 0, NULL,
			CONNECT_MSEC, &refused));
	return conn;
}

/* ---- which side is live ---- */

struct sight {
	bool has_fence, is_lifted;
	char others[200];
};

static int read_sight(struct bm_cutover *c, struct sight *sight, struct bm_error *err)
{
	const char *const name[] = {c->phase->request.name};
	PGresult *rows = bm_phase_ask(c->phase, BM_SIDE_DESTINATION,
			"SELECT to_regclass('bucardo_machine.fence') IS NOT NULL", 0, NULL,
			err);
	bool is_there = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';
	int rc = rows != NULL ? 0 : -1;

	PQclear(rows);
	*sight = (struct sight){0};
	if (rc != 0 || !is_there) {
		return rc;
	}
	rows = bm_phase_ask(c->phase, BM_SIDE_DESTINATION, sight_sql, 1, name, err);
	if (rows == NULL) {
		return -1;
	}
	sight->has_fence = PQgetvalue(rows, 0, 0)[0] != '0';
	sight->is_lifted = PQgetvalue(rows, 0, 1)[0] == 't';
	c->turn = strtoll(PQgetvalue(rows, 0, 2), NULL, 10);
	snprintf(sight->others, sizeof(sight->others), "%s", PQgetvalue(rows, 0, 3));
	PQclear(rows);
	return 0;
}

int bm_cutover_look(struct bm_cutover *c, struct bm_error *err)
{
	struct sight sight;

	if (read_sight(c, &sight, err) != 0) {
		return bm_error_wrap(err, "asking which side is live");
	}
	if (!sight.has_fence) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"the destination has no fence, which says which side is live");
	}
	if (sight.others[0] != '\0') {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"its destination is that of another migration too (%s), and one "
				"fence holds for all",
				sight.others);
	}
	if (sight.is_lifted != (c->from == BM_SIDE_DESTINATION)) {
		return bm_error_set(err, BM_ERR_PRECONDITION, "the %s is the live side already",
				bm_side_name(c->to));
	}
	return bm_cutover_find_objects(c, err);
}

/* ---- held ---- */

/* What waits on the side that becomes live would go over newer rows. */
static int check_follower(struct bm_cutover *c, struct bm_error *err)
{
	static const char sql[] = "SELECT string_agg(x.name, ', ') FROM (SELECT DISTINCT"
				  " bucardo.machine_waiting($1) AS name ORDER BY 1 LIMIT 5) x";
	const char *const name[] = {c->phase->request.name};
	PGresult *rows = bm_phase_ask(c->phase, c->to,
			"SELECT to_regprocedure('bucardo.machine_waiting(text)') IS NOT NULL",
			0, NULL, err);
	bool is_captured = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';
	int rc = rows != NULL ? 0 : -1;

	PQclear(rows);
	if (rc != 0 || !is_captured) {
		return rc;
	}
	rows = bm_phase_ask(c->phase, c->to, sql, 1, name, err);
	if (rows == NULL) {
		return -1;
	}
	if (!PQgetisnull(rows, 0, 0)) {
		rc = bm_error_set(err, BM_ERR_PRECONDITION,
				"changes of the %s are not on the %s yet (%s), and would go over "
				"newer rows",
				bm_side_name(c->to), bm_side_name(c->from),
				PQgetvalue(rows, 0, 0));
	}
	PQclear(rows);
	return rc;
}

static int take_side(struct bm_cutover *c, struct bm_error *err)
{
	c->hold = bm_cutover_connect(c, BM_SIDE_DESTINATION, err);
	if (c->hold == NULL) {
		return -1;
	}
	return bm_cutover_take_lock(c, c->hold, BM_FENCE_LOCK_SIDE, HOLD_LIMIT_MSEC,
			       c->request->mode == BM_CUTOVER_FINISH, err) == 0
			? 0
			: bm_error_wrap(err,
					  "somebody else relies on which side is live, or "
					  "changes it");
}

int bm_cutover_hold(struct bm_cutover *c, struct bm_error *err)
{
	int64_t turn = c->turn;
	int rc = take_side(c, err);

	if (c->request->mode == BM_CUTOVER_FINISH) {
		return rc;
	}
	if (rc == 0) {
		rc = bm_cutover_look(c, err);
	}
	if (rc == 0 && c->turn != turn) {
		rc = bm_error_set(err, BM_ERR_PRECONDITION,
				"somebody else has lifted or raised the fence meanwhile");
	}
	if (rc == 0) {
		rc = check_follower(c, err);
	}
	return rc == 0 ? bm_cutover_lead(c, err) : -1;
}

/* ---- sequences ---- */

int bm_cutover_lead(struct bm_cutover *c, struct bm_error *err)
{
	struct bm_pass pass = {.phase = c->phase, .live = c->from, .reported = json_object()};
	long set = 0;

	snprintf(pass.epoch, sizeof(pass.epoch), "%s %" PRId64 " %s", c->phase->request.name,
			c->turn, bm_side_name(c->from));
	pass.is_prepared[c->to] = c->began_msec != 0;
	c->phase->limit_msec = bm_budget_holds(c) ? bm_budget_left(c) + 1 : 0;
	int rc = bm_sequences_lead(&pass, &set, err);
	c->phase->limit_msec = 0;
	json_decref(pass.reported);
	snprintf(c->detail, sizeof(c->detail), "%ld stand ahead", set);
	if (rc != 0) {
		bm_budget_check(c, err);
	}
	return rc;
}

/* ---- after the point of no return ---- */

/* Where a person had lifted the fence the source was never closed. */
static int ask_source(
		struct bm_cutover *c, const char *sql, bool *is_found, struct bm_error *err)
{
	const char *const name[] = {c->phase->request.name};
	PGresult *rows = bm_phase_ask(c->phase, BM_SIDE_SOURCE,
			"SELECT to_regclass('bucardo.machine_cutovers') IS NOT NULL", 0, NULL,
			err);
	bool is_there = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';
	int rc = rows != NULL ? 0 : -1;

	PQclear(rows);
	*is_found = false;
	if (rc == 0 && is_there) {
		rows = bm_phase_ask(c->phase, BM_SIDE_SOURCE, sql, 1, name, err);
		rc = rows != NULL ? 0 : -1;
		*is_found = rc == 0 && PQntuples(rows) > 0;
		PQclear(rows);
	}
	return rc;
}

int bm_cutover_is_open(struct bm_cutover *c, bool *is_open, struct bm_error *err)
{
	struct sight sight;
	bool is_closed = false;
	int rc = read_sight(c, &sight, err);

	if (rc == 0 && c->to == BM_SIDE_SOURCE) {
		rc = ask_source(c, is_closed_sql, &is_closed, err);
	}
	*is_open = c->to == BM_SIDE_SOURCE ? !is_closed : sight.is_lifted;
	return rc;
}

static int open_once(struct bm_cutover *c, struct bm_error *err)
{
	bool ignored;

	return c->to == BM_SIDE_DESTINATION
			? bm_phase_do(c->phase, c->to, lift_sql, 0, NULL, err)
			: ask_source(c, reopen_sql, &ignored, err);
}

int bm_cutover_open(struct bm_cutover *c, struct bm_error *err)
{
	uint64_t end_msec = bm_clock_msec() + OPEN_LIMIT_MSEC;
	int rc;

	do {
		*err = (struct bm_error)BM_ERROR_INIT;
		rc = open_once(c, err);
		if (rc != 0) {
			bm_report_progress(0, 0, "steps", "opening the other side: again");
			poll(NULL, 0, OPEN_PAUSE_MSEC);
		}
	} while (rc != 0 && bm_clock_msec() < end_msec);
	if (rc == 0) {
		c->opened_msec = bm_clock_msec();
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "opening the %s", bm_side_name(c->to));
}
