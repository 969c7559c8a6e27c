/* The budget of the freeze, and statements that end with it. */
#include "worker/cutover/attempt.h"

#include <inttypes.h>
#include <stdio.h>

#include "bucardo_machine/clock.h"
#include "worker/session/ask.h"

/* The server ends a statement by itself; what does not answer even then is out of reach. */
#define GRACE_MSEC 300

/* A transaction that nobody speaks to ends so long after the budget at most. */
#define LET_GO_MSEC 1000

/* Outside of a freeze. */
#define USUAL_LIMIT_MSEC 60000

uint64_t bm_budget_left(const struct bm_cutover *c)
{
	uint64_t end_msec = c->began_msec + c->request->budget_msec, now = bm_clock_msec();

	if (c->began_msec == 0) {
		return c->request->budget_msec;
	}
	return now < end_msec ? end_msec - now : 0;
}

bool bm_budget_holds(const struct bm_cutover *c)
{
	return c->began_msec != 0 && !c->is_committed && !c->is_unknown;
}

int bm_budget_check(const struct bm_cutover *c, struct bm_error *err)
{
	return !bm_budget_holds(c) || bm_budget_left(c) > 0
			? 0
			: bm_error_set(err, BM_ERR_TIMEOUT, "the budget of %u ms is used up",
					  c->request->budget_msec);
}

static uint64_t limit_of(const struct bm_cutover *c)
{
	return bm_budget_holds(c) ? bm_budget_left(c) + GRACE_MSEC : USUAL_LIMIT_MSEC;
}

/* What a server cancels because the budget is used up says so. */
static void explain(const struct bm_cutover *c, struct bm_error *err)
{
	bm_budget_check(c, err);
}

PGresult *bm_budget_ask(struct bm_cutover *c, PGconn *conn, const char *sql, int count,
		const char *const *params, struct bm_error *err)
{
	PGresult *result = bm_ask(conn, sql, count, params, limit_of(c), err);

	if (result == NULL) {
		explain(c, err);
	}
	return result;
}

int bm_budget_do(struct bm_cutover *c, PGconn *conn, const char *sql, int count,
		const char *const *params, struct bm_error *err)
{
	PGresult *result = bm_budget_ask(c, conn, sql, count, params, err);

	PQclear(result);
	return result != NULL ? 0 : -1;
}

int bm_budget_script(struct bm_cutover *c, PGconn *conn, const char *sql, struct bm_error *err)
{
	PGresult *result = bm_ask_script(conn, sql, limit_of(c), err);

	if (result == NULL) {
		explain(c, err);
	}
	PQclear(result);
	return result != NULL ? 0 : -1;
}

int bm_budget_tell(struct bm_cutover *c, struct bm_error *err)
{
	char statement[24], idle[24];
	const char *const params[] = {statement, idle};
	uint64_t left = bm_budget_left(c);

	snprintf(statement, sizeof(statement), "%" PRIu64, left > 0 ? left : 1);
	snprintf(idle, sizeof(idle), "%" PRIu64, left + LET_GO_MSEC);
	return bm_budget_do(c, c->freeze,
			"SELECT set_config('statement_timeout', $1, true),"
			" set_config('idle_in_transaction_session_timeout', $2, true)",
			2, params, err);
}
