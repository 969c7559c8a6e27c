/* Stage by stage, one statement after another, each again while somebody else has the lock. */
#include "worker/phases/traces.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/fence.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/syncs.h"

/* An application that waits behind us waits no longer than this ... */
#define LOCK_TIMEOUT "SET lock_timeout = '200ms'"
/* ... and gets so much time to itself before we ask again, at least and at most. */
#define PAUSE_MSEC 100
#define PAUSE_MOST_MSEC 3000
/* Who has the lock is told after this pause, some seconds after the first try. */
#define TELL_FROM_MSEC 1600

/* A lock that nobody lets go of: told then, and left. */
#define GIVE_UP_AFTER_MSEC ((uint64_t)3 * 60 * 1000)

#define ONE_AT_A_TIME "SELECT pg_advisory_lock(" BM_FENCE_LOCKS ", 9)"

/* There are nine stages, of one round each unless something new comes meanwhile. */
#define ROUNDS_MOST 50

/* clang-format off */
static const char works[] =
#include "worker/phases/sql/traces_works.sql.inc"
;
static const char left_over[] =
#include "worker/phases/sql/traces_left.sql.inc"
;
static const char count_all[] =
#include "worker/phases/sql/traces_count.sql.inc"
;
static const char waiting[] =
#include "worker/phases/sql/traces_waiting.sql.inc"
;
static const char holders[] =
#include "worker/phases/sql/traces_holders.sql.inc"
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

bool bm_traces_has(struct bm_traces *traces, const char *name)
{
	struct bm_error ignored = BM_ERROR_INIT;
	const char *const params[] = {name};
	PGresult *rows = bm_sql_params(traces->conn, "SELECT to_regclass($1) IS NOT NULL", 1,
			params, &ignored);
	bool is_there = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';

	PQclear(rows);
	return is_there;
}

static int report_users(struct bm_traces *traces, const char *sql, bm_traces_user_fn *report,
		void *ctx, struct bm_error *err)
{
	PGresult *rows = bm_sql(traces->conn, sql, err);

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		report(ctx, PQgetvalue(rows, row, 0), PQgetvalue(rows, row, 1),
				PQgetisnull(rows, row, 2) ? -1
							  : atol(PQgetvalue(rows, row, 2)));
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

int bm_traces_users(struct bm_traces *traces, bm_traces_user_fn *report, void *ctx,
		struct bm_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(users); i++) {
		if (bm_traces_has(traces, users[i].table) &&
				bm_traces_has(traces, users[i].needs)) {
			rc = report_users(traces, users[i].sql, report, ctx, err);
		}
	}
	if (rc == 0 && bm_traces_has(traces, "bucardo.bucardo_delta_names") &&
			!bm_traces_has(traces, "bucardo.machine_runs")) {
		rc = report_users(traces, syncs, report, ctx, err);
	}
	return rc;
}

bool bm_traces_is_fenced(struct bm_traces *traces)
{
	struct bm_error ignored = BM_ERROR_INIT;

	if (!bm_traces_has(traces, "bucardo_machine.fence")) {
		return false;
	}
	char *open = bm_sql_value(traces->conn,
			"SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NULL", &ignored);
	bool fenced = open != NULL;
	free(open);
	return fenced;
}

struct others {
	const char *const *names;
	struct bm_strbuf *out;
	int count;
};

/* A name of a migration, or of one of its syncs. */
static bool is_among(const char *const *names, const char *user)
{
	for (; names != NULL && *names != NULL; names++) {
		if (strcmp(*names, user) == 0 || bm_sync_is_of(user, *names)) {
			return true;
		}
	}
	return false;
}

static void on_user(void *ctx, const char *name, const char *host, long age_sec)
{
	struct others *others = ctx;

	(void)host;
	(void)age_sec;
	if (!is_among(others->names, name)) {
		bm_strbuf_printf(others->out, "%s%s", others->count++ > 0 ? " " : "", name);
	}
}

int bm_traces_others(struct bm_traces *traces, const char *const *names, struct bm_strbuf *out,
		struct bm_error *err)
{
	struct others others = {.names = names, .out = out};

	return bm_traces_users(traces, on_user, &others, err) == 0 ? others.count : -1;
}

/* Whether others have to be spared; -1. */
static int is_shared(struct bm_traces *traces, const char *const *names, struct bm_error *err)
{
	struct bm_strbuf ignored = BM_STRBUF_INIT;
	int others = names == NULL ? 0 : bm_traces_others(traces, names, &ignored, err);

	bm_strbuf_finish(&ignored);
	return others > 0 ? 1 : others;
}

static char *array_of(const char *const *names)
{
	struct bm_strbuf list = BM_STRBUF_INIT;

	for (; names != NULL && *names != NULL; names++) {
		bm_quote_array_add(&list, *names);
	}
	return bm_quote_array_end(&list);
}

/* ---- counting ---- */

static int count_objects(struct bm_traces *traces, const char *names, bool shared,
		struct bm_traces_counts *out, struct bm_error *err)
{
	if (shared) {
		out->triggers = bm_traces_count_own(traces, names, err);
		out->objects = -1;
		return out->triggers < 0 ? -1 : 0;
	}
	PGresult *rows = bm_sql(traces->conn, count_all, err);
	if (rows != NULL) {
		out->triggers = atol(PQgetvalue(rows, 0, 0));
		out->objects = atol(PQgetvalue(rows, 0, 1));
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

static int count_waiting(
		struct bm_traces *traces, const char *names, long *out, struct bm_error *err)
{
	if (!bm_traces_has(traces, "bucardo.bucardo_delta_names")) {
		return 0;
	}
	PGresult *rows = bm_sql_params(traces->conn, waiting, 1, &names, err);
	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		char *count = bm_sql_value(traces->conn, PQgetvalue(rows, row, 0), err);
		*out += count != NULL ? atol(count) : 0;
		free(count);
	}
	PQclear(rows);
	return err->code == BM_ERR_NONE ? 0 : -1;
}

int bm_traces_count(struct bm_traces *traces, const char *const *names,
		struct bm_traces_counts *out, struct bm_error *err)
{
	char *list = array_of(names);
	int shared = is_shared(traces, names, err);

	*out = (struct bm_traces_counts){0};
	int rc = shared < 0 ? -1 : count_objects(traces, list, shared > 0, out, err);
	if (rc == 0) {
		rc = count_waiting(traces, list, &out->waiting, err);
	}
	free(list);
	return rc;
}

/* ---- removing ---- */

static bool may_pass(const struct bm_error *err)
{
	return strcmp(err->sqlstate, "55P03") == 0 || strcmp(err->sqlstate, "40P01") == 0;
}

static void report_holders(struct bm_traces *traces, const char *statement,
		const struct bm_traces_events *events)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *rows = bm_sql_params(traces->conn, holders, 1, &statement, &ignored);

	if (rows != NULL && !PQgetisnull(rows, 0, 0)) {
		events->waits(events->ctx, PQgetvalue(rows, 0, 0), statement);
	}
	PQclear(rows);
}

/* Statements of one text are one transaction. */
static int drop(struct bm_traces *traces, const char *statement, uint64_t until,
		const struct bm_traces_events *events, struct bm_error *err)
{
	int pause = PAUSE_MSEC;

	while (bm_sql_do(traces->conn, statement, err) != 0) {
		if (!may_pass(err) || bm_clock_msec() > until) {
			return -1;
		}
		*err = (struct bm_error)BM_ERROR_INIT;
		if (pause == TELL_FROM_MSEC && events->waits != NULL) {
			report_holders(traces, statement, events);
		}
		poll(NULL, 0, pause);
		pause = pause * 2 < PAUSE_MOST_MSEC ? pause * 2 : PAUSE_MOST_MSEC;
	}
	return 0;
}

static int work_off(struct bm_traces *traces, const PGresult *statements, int stage,
		const struct bm_traces_events *events, struct bm_error *err)
{
	uint64_t until = bm_clock_msec() + GIVE_UP_AFTER_MSEC;
	int failed = 0, count = PQntuples(statements);

	for (int row = 0; row < count; row++) {
		const char *statement = PQgetvalue(statements, row, stage + 1);
		if (stage >= 0 &&
				strcmp(PQgetvalue(statements, row, stage),
						PQgetvalue(statements, 0, stage)) != 0) {
			break;
		}
		if (events->step != NULL) {
			events->step(events->ctx, count - row, statement);
		}
		if (drop(traces, statement, until, events, err) == 0) {
			continue;
		}
		if (PQstatus(traces->conn) != CONNECTION_OK) {
			return -1;
		}
		events->report(events->ctx, err->message, statement);
		*err = (struct bm_error)BM_ERROR_INIT;
		failed++;
	}
	return failed;
}

int bm_traces_work(struct bm_traces *traces, const char *query, const char *names, int stage,
		const struct bm_traces_events *events, struct bm_error *err)
{
	PGresult *rows = bm_sql_params(traces->conn, query, names != NULL ? 1 : 0, &names, err);
	int count = rows != NULL ? PQntuples(rows) : -1;
	int failed = count > 0 ? work_off(traces, rows, stage, events, err) : 0;

	PQclear(rows);
	if (failed > 0) {
		bm_error_set(err, BM_ERR_PRECONDITION,
				"%d of what is to be removed from %s could not be; what "
				"depends on it stays as well",
				failed, traces->endpoint.place);
	}
	return failed == 0 ? count : -1;
}

static int remove_all(struct bm_traces *traces, const struct bm_traces_events *events,
		struct bm_error *err)
{
	for (int round = 0; round < ROUNDS_MOST; round++) {
		int count = bm_traces_work(traces, works, NULL, 0, events, err);
		if (count < 0) {
			return -1;
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

int bm_traces_remove(struct bm_traces *traces, const char *const *names,
		const struct bm_traces_events *events, struct bm_error *err)
{
	uint64_t until = bm_clock_msec() + GIVE_UP_AFTER_MSEC;
	/* Of two that go at once the second is the last one; given back with the session. */
	int rc = drop(traces, ONE_AT_A_TIME, until, events, err);
	int shared = rc == 0 ? is_shared(traces, names, err) : -1;

	if (shared > 0) {
		char *list = array_of(names);
		rc = bm_traces_remove_own(traces, list, events, err);
		free(list);
	} else {
		rc = shared == 0 ? remove_all(traces, events, err) : -1;
	}
	struct bm_error ignored = BM_ERROR_INIT;
	bm_sql_do(traces->conn, "SELECT pg_advisory_unlock_all()", &ignored);
	return rc;
}

static int left_of_all(struct bm_traces *traces, const struct bm_traces_events *events,
		struct bm_error *err)
{
	PGresult *rows = bm_sql(traces->conn, left_over, err);
	int count = rows != NULL ? PQntuples(rows) : -1;

	for (int row = 0; row < count; row++) {
		events->report(events->ctx, PQgetvalue(rows, row, 0), PQgetvalue(rows, row, 1));
	}
	PQclear(rows);
	return count;
}

int bm_traces_left(struct bm_traces *traces, const char *const *names,
		const struct bm_traces_events *events, struct bm_error *err)
{
	int shared = is_shared(traces, names, err);

	if (shared <= 0) {
		return shared < 0 ? -1 : left_of_all(traces, events, err);
	}
	char *list = array_of(names);
	int left = bm_traces_left_own(traces, list, events, err);
	free(list);
	return left;
}
