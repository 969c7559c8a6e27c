/* Stage by stage, one statement after another, each again while somebody else has the lock. */
#include "bucardo_machine/traces.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "transfer/connect.h"

/* An application that waits behind us waits no longer than this ... */
#define LOCK_TIMEOUT "SET lock_timeout = '200ms'"
/* ... and gets so much time to itself before we ask again, at least and at most. */
#define PAUSE_MSEC 100
#define PAUSE_MOST_MSEC 3000

/* A lock that nobody lets go of: told then, and left. */
#define GIVE_UP_AFTER_MSEC ((uint64_t)3 * 60 * 1000)

/* There are nine stages, of one round each unless something new comes meanwhile. */
#define ROUNDS_MOST 50

/* clang-format off */
static const char works[] =
#include "transfer/sql/traces_works.sql.inc"
;
static const char left_over[] =
#include "transfer/sql/traces_left.sql.inc"
;

/* Of a run that was killed some of these tables are gone: each is asked for only if it is there. */
static const struct {
	const char *table, *needs, *sql;
} users[] = {
	{ "bucardo.machine_owners", "bucardo.machine_beats",
	  "SELECT o.migration, o.host, extract(epoch FROM clock_timestamp() - b.seen)::bigint"
	  " FROM bucardo.machine_owners o LEFT JOIN bucardo.machine_beats b USING (migration)" },
	{ "bucardo.bucardo_delta_names", "bucardo.machine_runs",
	  "SELECT DISTINCT regexp_replace(d.sync, ' \\(paused\\)$', ''), '', NULL::bigint"
	  " FROM bucardo.bucardo_delta_names d WHERE regexp_replace(d.sync, ' \\(paused\\)$', '')"
	  " NOT IN (SELECT r.sync FROM bucardo.machine_runs r)" },
};
/* A side that an older machine or Bucardo alone used has no names of migrations. */
static const char syncs[] =
	"SELECT DISTINCT regexp_replace(d.sync, ' \\(paused\\)$', ''), '', NULL::bigint"
	" FROM bucardo.bucardo_delta_names d";
/* clang-format on */

struct bm_traces {
	struct bm_endpoint endpoint;
	PGconn *conn;
};

/* Event triggers of the application have no say in it, where the role may have it so. */
static int prepare(PGconn *conn, struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;

	bm_sql_do(conn, "SET session_replication_role = replica", &ignored);
	return bm_sql_do(conn, LOCK_TIMEOUT, err);
}

struct bm_traces *bm_traces_open(
		const struct bm_conninfo *words, const char *role, struct bm_error *err)
{
	struct bm_traces *traces = bm_alloc(sizeof(*traces));

	if (bm_endpoint_init(&traces->endpoint, role, words, err) == 0) {
		traces->conn = bm_endpoint_connect(&traces->endpoint, err);
	}
	if (traces->conn == NULL || prepare(traces->conn, err) != 0) {
		bm_traces_close(traces);
		return NULL;
	}
	return traces;
}

void bm_traces_close(struct bm_traces *traces)
{
	if (traces != NULL) {
		PQfinish(traces->conn);
		bm_endpoint_finish(&traces->endpoint);
		free(traces);
	}
}

const char *bm_traces_place(const struct bm_traces *traces)
{
	return traces->endpoint.place;
}

/* ---- who uses it ---- */

static bool has(struct bm_traces *traces, const char *name)
{
	struct bm_error ignored = BM_ERROR_INIT;
	const char *const params[] = {name};
	PGresult *rows = bm_sql_params(traces->conn, "SELECT to_regclass($1) IS NOT NULL", 1,
			params, &ignored);
	bool is_there = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';

	PQclear(rows);
	return is_there;
}

static int tell_users(struct bm_traces *traces, const char *sql, bm_traces_user_fn *tell,
		void *ctx, struct bm_error *err)
{
	PGresult *rows = bm_sql(traces->conn, sql, err);

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		tell(ctx, PQgetvalue(rows, row, 0), PQgetvalue(rows, row, 1),
				PQgetisnull(rows, row, 2) ? -1
							  : atol(PQgetvalue(rows, row, 2)));
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

int bm_traces_users(struct bm_traces *traces, bm_traces_user_fn *tell, void *ctx,
		struct bm_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(users); i++) {
		if (has(traces, users[i].table) && has(traces, users[i].needs)) {
			rc = tell_users(traces, users[i].sql, tell, ctx, err);
		}
	}
	if (rc == 0 && has(traces, "bucardo.bucardo_delta_names") &&
			!has(traces, "bucardo.machine_runs")) {
		rc = tell_users(traces, syncs, tell, ctx, err);
	}
	return rc;
}

bool bm_traces_is_fenced(struct bm_traces *traces)
{
	struct bm_error ignored = BM_ERROR_INIT;

	if (!has(traces, "bucardo_machine.fence")) {
		return false;
	}
	char *open = bm_sql_value(traces->conn,
			"SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NULL", &ignored);
	bool fenced = open != NULL;
	free(open);
	return fenced;
}

/* ---- removing ---- */

static bool may_pass(const struct bm_error *err)
{
	return strcmp(err->sqlstate, "55P03") == 0 || strcmp(err->sqlstate, "40P01") == 0;
}

/* Statements of one text are one transaction. */
static int drop(struct bm_traces *traces, const char *statement, uint64_t until,
		struct bm_error *err)
{
	int pause = PAUSE_MSEC;

	while (bm_sql_do(traces->conn, statement, err) != 0) {
		if (!may_pass(err) || bm_clock_msec() > until) {
			return -1;
		}
		*err = (struct bm_error)BM_ERROR_INIT;
		poll(NULL, 0, pause);
		pause = pause * 2 < PAUSE_MOST_MSEC ? pause * 2 : PAUSE_MOST_MSEC;
	}
	return 0;
}

/* All rows of the first stage there is. How many could not be had, -1 when the side is away. */
static int drop_stage(struct bm_traces *traces, const PGresult *rows, bm_traces_tell_fn *tell,
		void *ctx, struct bm_error *err)
{
	uint64_t until = bm_clock_msec() + GIVE_UP_AFTER_MSEC;
	int failed = 0;

	for (int row = 0; row < PQntuples(rows); row++) {
		const char *statement = PQgetvalue(rows, row, 1);
		if (strcmp(PQgetvalue(rows, row, 0), PQgetvalue(rows, 0, 0)) != 0) {
			break;
		}
		if (drop(traces, statement, until, err) == 0) {
			continue;
		}
		if (PQstatus(traces->conn) != CONNECTION_OK) {
			return -1;
		}
		tell(ctx, err->message, statement);
		*err = (struct bm_error)BM_ERROR_INIT;
		failed++;
	}
	return failed;
}

int bm_traces_remove(struct bm_traces *traces, bm_traces_tell_fn *tell, void *ctx,
		struct bm_error *err)
{
	for (int round = 0; round < ROUNDS_MOST; round++) {
		PGresult *rows = bm_sql(traces->conn, works, err);
		int count = rows != NULL ? PQntuples(rows) : -1;
		int failed = count > 0 ? drop_stage(traces, rows, tell, ctx, err) : 0;
		PQclear(rows);
		if (count < 0 || failed < 0) {
			return -1;
		}
		if (failed > 0) {
			return bm_error_set(err, BM_ERR_PRECONDITION,
					"%d of what is to be removed from %s could not be; what "
					"depends on it stays as well",
					failed, traces->endpoint.place);
		}
		if (count == 0) {
			return 0;
		}
	}
	return bm_error_set(err, BM_ERR_PRECONDITION,
			"somebody makes again on %s what was removed: stop the machine, and the "
			"Bucardo, that works there, and say the same command again",
			traces->endpoint.place);
}

int bm_traces_left(struct bm_traces *traces, bm_traces_tell_fn *tell, void *ctx,
		struct bm_error *err)
{
	PGresult *rows = bm_sql(traces->conn, left_over, err);
	int count = rows != NULL ? PQntuples(rows) : -1;

	for (int row = 0; row < count; row++) {
		tell(ctx, PQgetvalue(rows, row, 0), PQgetvalue(rows, row, 1));
	}
	PQclear(rows);
	return count;
}
