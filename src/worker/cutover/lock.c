/*
 * The lock that stops writers. One that waits stops them as well, so the freeze begins with the
 * request: attempts are short and few, and who is in the way is named.
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

/* A quarter of the budget each, so that the rest has the last quarter. */
#define ATTEMPTS 3
#define SHARE 4

/* Between them; it grows. */
#define PAUSE_MSEC 400

/* When blockers are looked for: writers that end by themselves are not worth a question. */
#define LOOK_AFTER_MSEC 60

/* clang-format off */
static const char blockers_sql[] =
#include "worker/cutover/sql/blockers.sql.inc"
;
/* clang-format on */

static const char busy_sql[] =
		"SELECT string_agg(format('pid %s, application ''%s'', %s for %s s: %s', a.pid, a.application_name, a.state,"
		" round(extract(epoch FROM clock_timestamp() - a.xact_start)::numeric, 1),"
		" left(regexp_replace(a.query, '\\s+', ' ', 'g'), 120)), '; ' ORDER BY a.xact_start),"
		" string_agg(a.pid::text, ', ' ORDER BY a.xact_start) FROM pg_stat_activity a"
		" WHERE a.pid = ANY ($1::int[]) AND a.xact_start IS NOT NULL";

struct blockers {
	char text[400], pids[64];
};

static char *lock_statement(const struct bm_cutover *c)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	for (size_t i = 0; i < c->table_count; i++) {
		bm_strbuf_printf(&sql, "%s ONLY %s", i == 0 ? "LOCK TABLE" : ",",
				c->tables[i].name);
	}
	bm_strbuf_printf(&sql, "%s IN EXCLUSIVE MODE",
			c->has_objects ? ", pg_catalog.pg_largeobject,"
					 " pg_catalog.pg_largeobject_metadata"
				       : "");
	return bm_strbuf_detach(&sql);
}

/* What ends the transaction should nobody be there any more. */
static int begin(struct bm_cutover *c, struct bm_error *err)
{
	char limit[24], whole[24];
	const char *const params[] = {limit};
	const char *const all[] = {whole};
	unsigned budget = c->request->budget_msec;

	snprintf(limit, sizeof(limit), "%u", budget / SHARE > 0 ? budget / SHARE : 1);
	snprintf(whole, sizeof(whole), "%u", budget + 1000);
	if (bm_budget_do(c, c->freeze, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", 0,
			    NULL, err) != 0 ||
			bm_budget_do(c, c->freeze,
					"SELECT set_config('lock_timeout', $1, true),"
					" set_config('statement_timeout', $1, true),"
					" set_config('idle_in_transaction_session_timeout',"
					" $1, true)",
					1, params, err) != 0 ||
			(PQserverVersion(c->freeze) >= 170000 &&
					bm_budget_do(c, c->freeze,
							"SELECT set_config('transaction_timeout', "
							"$1, true)",
							1, all, err) != 0)) {
		return -1;
	}
	return bm_budget_do(c, c->freeze,
			"SELECT pg_advisory_xact_lock(" BM_FENCE_LOCKS
			", " BM_CUTOVER_LOCK_FREEZE ")",
			0, NULL, err);
}

static void roll_back(struct bm_cutover *c)
{
	struct bm_error ignored = BM_ERROR_INIT;

	PQclear(bm_ask(c->freeze, "ROLLBACK", 0, NULL, 1000, &ignored));
}

static bool is_answered(PGconn *conn, uint64_t wait_msec)
{
	struct pollfd ready = {.fd = PQsocket(conn), .events = POLLIN};

	return poll(&ready, 1, (int)wait_msec) != 0;
}

static void name_blockers(struct bm_cutover *c, struct blockers *out)
{
	struct bm_error ignored = BM_ERROR_INIT;
	char pid[24];
	const char *const params[] = {pid};

	snprintf(pid, sizeof(pid), "%d", PQbackendPID(c->freeze));
	PGresult *rows = bm_phase_ask(c->phase, c->from, blockers_sql, 1, params, &ignored);
	if (rows != NULL && PQgetvalue(rows, 0, 0)[0] != '\0') {
		snprintf(out->text, sizeof(out->text), "%s", PQgetvalue(rows, 0, 0));
		snprintf(out->pids, sizeof(out->pids), "%s", PQgetvalue(rows, 0, 1));
	}
	PQclear(rows);
}

/* Of clients of a PgBouncer that do not end their transactions. */
static void name_busy(struct bm_cutover *c, struct blockers *out)
{
	struct bm_error ignored = BM_ERROR_INIT;
	char *pids = bm_format("{%s}", bm_cutover_hooks_busy(c));
	const char *const params[] = {pids};
	PGresult *rows = strcmp(pids, "{}") != 0
			? bm_phase_ask(c->phase, c->from, busy_sql, 1, params, &ignored)
			: NULL;

	if (rows != NULL && PQgetvalue(rows, 0, 0)[0] != '\0') {
		snprintf(out->text, sizeof(out->text), "%s", PQgetvalue(rows, 0, 0));
		snprintf(out->pids, sizeof(out->pids), "%s", PQgetvalue(rows, 0, 1));
	}
	PQclear(rows);
	free(pids);
}

/* Writers, and clients of PgBouncers, go on. */
static void let_go(struct bm_cutover *c)
{
	roll_back(c);
	bm_cutover_hooks_resume(c);
	c->held_msec += c->began_msec != 0 ? bm_clock_msec() - c->began_msec : 0;
	c->began_msec = 0;
}

/* One attempt; with -1 the transaction is over. */
static int try_lock(struct bm_cutover *c, const char *sql, struct blockers *blockers,
		struct bm_error *err)
{
	if (bm_cutover_hooks_pause(c, err) != 0) {
		name_busy(c, blockers);
		let_go(c);
		return -1;
	}
	if (begin(c, err) != 0) {
		let_go(c);
		return -1;
	}
	c->began_msec = c->began_msec != 0 ? c->began_msec : bm_clock_msec();
	int rc = bm_ask_send(c->freeze, sql, 0, NULL, err);
	if (rc == 0 && PQflush(c->freeze) >= 0 && !is_answered(c->freeze, LOOK_AFTER_MSEC)) {
		name_blockers(c, blockers);
	}
	PGresult *locked = rc == 0 ? bm_ask_wait(c->freeze, bm_budget_left(c) + 300, err)
				   : NULL;
	if (locked == NULL) {
		let_go(c);
	}
	PQclear(locked);
	return locked != NULL ? 0 : -1;
}

/* Not had in time, or two waited for each other: the next one may be luckier. */
static bool is_worth_another(const struct bm_error *err)
{
	static const char *const states[] = {"55P03", "57014", "40P01"};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strcmp(err->sqlstate, states[i]) == 0) {
			return true;
		}
	}
	return false;
}

static int explain(struct bm_cutover *c, const struct blockers *blockers, struct bm_error *err)
{
	if (!is_worth_another(err)) {
		return -1;
	}
	bool is_named = blockers->text[0] != '\0';
	snprintf(c->phase->hint, sizeof(c->phase->hint),
			is_named ? "wait for it, or end it: SELECT pg_terminate_backend(pid) FROM "
				   "pg_stat_activity WHERE pid IN (%.64s); then ask again"
				 : "ask again at a quieter moment, or with a larger budget%.0s",
			blockers->pids);
	if (c->is_pause_stuck) {
		struct bm_error why = *err;
		return bm_error_set(err, BM_ERR_PRECONDITION, "%s, %d times%s%s", why.message,
				ATTEMPTS, is_named ? ": in its way is " : "", blockers->text);
	}
	return bm_error_set(err, BM_ERR_PRECONDITION,
			"the lock on the tables of the %s was not to be had %d times within %u "
			"ms%s%s",
			bm_side_name(c->from), ATTEMPTS, c->request->budget_msec / SHARE,
			is_named ? ": in its way is " : "", blockers->text);
}

/* A person has stopped the application: that nothing is written is proven after the fence. */
static int go_without(struct bm_cutover *c, struct bm_error *err)
{
	int rc = bm_cutover_objects_once(c, err);

	rc = rc == 0 ? bm_cutover_carry_once(c, err) : -1;
	rc = rc == 0 ? bm_cutover_hooks_pause(c, err) : -1;
	rc = rc == 0 ? begin(c, err) : -1;
	c->began_msec = c->began_msec != 0 ? c->began_msec : bm_clock_msec();
	snprintf(c->detail, sizeof(c->detail), "none is taken: a person keeps writers off");
	return rc == 0 ? bm_budget_tell(c, err) : -1;
}

static int lock_all(struct bm_cutover *c, struct bm_error *err)
{
	struct blockers blockers = {"", ""};
	int rc = -1;

	for (int attempt = 1; rc != 0 && attempt <= ATTEMPTS; attempt++) {
		*err = (struct bm_error)BM_ERROR_INIT;
		if (attempt > 1) {
			bm_report_note("the lock was not to be had in attempt %d of %d%s%s",
					attempt - 1, ATTEMPTS,
					blockers.text[0] != '\0' ? ": in its way is " : "",
					blockers.text);
			poll(NULL, 0, PAUSE_MSEC * (attempt - 1));
		}
		rc = bm_cutover_order_tables(c, err);
		rc = rc == 0 ? bm_cutover_objects_once(c, err) : -1;
		rc = rc == 0 ? bm_cutover_carry_once(c, err) : -1;
		char *sql = lock_statement(c);
		rc = rc == 0 ? try_lock(c, sql, &blockers, err) : -1;
		free(sql);
		if (rc != 0 && !is_worth_another(err)) {
			break;
		}
	}
	if (rc != 0) {
		return explain(c, &blockers, err);
	}
	snprintf(c->detail, sizeof(c->detail), "%zu tables", c->table_count);
	return bm_budget_tell(c, err);
}

int bm_cutover_lock(struct bm_cutover *c, struct bm_error *err)
{
	if (bm_cutover_refuse_late(c, err) != 0 || bm_cutover_check_captured(c, err) != 0) {
		return -1;
	}
	int rc = c->request->is_manual ? go_without(c, err) : lock_all(c, err);
	return rc == 0 ? bm_cutover_check_prints(c, err) : -1;
}
