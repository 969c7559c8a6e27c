/* The statements that are sent to the databases being replicated. */
#include "worker/deltas/sync_probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"
#include "worker/session/ask.h"
#include "worker/deltas/batch_limit.h"

/* Tables in one statement: each takes six locks or so of the server's shared table. */
#define TABLES_PER_STATEMENT 50

static int ask_and_forget(PGconn *conn, const char *sql, int count, const char *const *params,
		uint64_t limit_msec, struct bm_error *err)
{
	PGresult *result = bm_ask(conn, sql, count, params, limit_msec, err);

	PQclear(result);
	return result != NULL ? 0 : -1;
}

/* clang-format off */
static const char settings_sql[] =
#include "worker/deltas/sql/probe_settings.sql.inc"
;
/* clang-format on */

int bm_sync_probe_begin(PGconn *conn, uint64_t limit_msec, struct bm_error *err)
{
	char limit[32];
	const char *const params[] = {limit};

	snprintf(limit, sizeof(limit), "%" PRIu64, limit_msec * 4 / 5);
	return ask_and_forget(conn, settings_sql, 1, params, limit_msec, err);
}

int bm_sync_probe_ping(PGconn *conn, uint64_t limit_msec, struct bm_error *err)
{
	return ask_and_forget(conn, "SELECT 1", 0, NULL, limit_msec, err);
}

/* The names are quoted identifiers already, as Bucardo stored them. */
static void add_table(struct bm_strbuf *sql, const char *delta, const char *track,
		const char *deferred)
{
	bm_strbuf_printf(sql,
			" UNION ALL (SELECT count(*), min(txntime), 0 FROM (SELECT d.txntime"
			" FROM bucardo.%s d WHERE NOT EXISTS (SELECT 1 FROM bucardo.%s t"
			" WHERE t.txntime = d.txntime AND t.target = $2) LIMIT %d) x)",
			delta, track, BM_BACKLOG_LIMIT);
	if (deferred[0] != '\0') {
		bm_strbuf_printf(sql,
				" UNION ALL (SELECT count(*), min(txntime), count(*) FROM"
				" (SELECT txntime FROM bucardo.%s LIMIT %d) x)",
				deferred, BM_BACKLOG_LIMIT);
	}
}

static int count_group(PGconn *conn, const struct bm_strbuf *tables, const char *const *params,
		uint64_t limit_msec, struct bm_backlog *total, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_strbuf_printf(&sql,
			"SELECT coalesce(sum(n), 0)::bigint,"
			" coalesce(greatest((extract(epoch FROM clock_timestamp() - min(oldest))"
			" * 1000)::bigint, 0), 0), coalesce(sum(deferred), 0)::bigint FROM ("
			"(SELECT count(*) AS n, min(cdate) AS oldest, 0 AS deferred"
			" FROM bucardo.bucardo_truncate_trigger"
			" WHERE sync = $1 AND replicated IS NULL AND $2::text <> '')%s) AS t",
			bm_strbuf_text(tables));
	PGresult *rows = bm_ask(conn, bm_strbuf_text(&sql), 2, params, limit_msec, err);
	bm_strbuf_finish(&sql);
	if (rows == NULL) {
		return -1;
	}
	int64_t lag = strtoll(PQgetvalue(rows, 0, 1), NULL, 10);
	total->rows += strtoll(PQgetvalue(rows, 0, 0), NULL, 10);
	total->deferred += strtoll(PQgetvalue(rows, 0, 2), NULL, 10);
	total->lag_msec = lag > total->lag_msec ? lag : total->lag_msec;
	PQclear(rows);
	return 0;
}

static void add_tables(struct bm_strbuf *sql, const PGresult *names, int first)
{
	int end = first + TABLES_PER_STATEMENT;

	for (int row = first; row < end && row < PQntuples(names); row++) {
		add_table(sql, PQgetvalue(names, row, 0), PQgetvalue(names, row, 1),
				PQgetvalue(names, row, 2));
	}
}

static int count_all(PGconn *conn, const PGresult *names, const char *sync, const char *target,
		uint64_t limit_msec, struct bm_backlog *total, struct bm_error *err)
{
	uint64_t begun_msec = bm_clock_msec();
	int first = 0;

	do {
		/* Truncates are counted with the first group only. */
		const char *const params[] = {first == 0 ? sync : "", target};
		struct bm_strbuf tables = BM_STRBUF_INIT;
		add_tables(&tables, names, first);
		int rc = count_group(conn, &tables, params, limit_msec, total, err);
		bm_strbuf_finish(&tables);
		if (rc != 0) {
			return -1;
		}
		if (bm_clock_msec() - begun_msec > limit_msec) {
			return bm_error_set(err, BM_ERR_SQL, "counting takes too long");
		}
		first += TABLES_PER_STATEMENT;
	} while (first < PQntuples(names) && total->rows < BM_BACKLOG_LIMIT);
	return 0;
}

int bm_sync_probe_backlog(PGconn *conn, const char *sync, const char *target,
		uint64_t limit_msec, struct bm_backlog *out, struct bm_error *err)
{
	*out = (struct bm_backlog){0};
	PGresult *names = bm_ask(conn,
			"SELECT DISTINCT deltaname, trackname, CASE WHEN to_regclass('bucardo.'"
			" || " BM_BATCH_LIMIT_DEFERRED(
					"deltaname") ") IS NOT NULL THEN"
						     " " BM_BATCH_LIMIT_DEFERRED(
								     "deltaname") " ELSE '' END"
										  " FROM bucardo.bucardo_delta_names"
										  " WHERE sync = $1 AND deltaname IS NOT NULL AND trackname IS NOT NULL"
										  " ORDER BY deltaname",
			1, &sync, limit_msec, err);
	if (names == NULL) {
		return -1;
	}
	int rc = count_all(conn, names, sync, target, limit_msec, out, err);
	PQclear(names);
	if (out->rows > BM_BACKLOG_LIMIT) {
		out->rows = BM_BACKLOG_LIMIT;
	}
	return rc;
}

/* clang-format off */
static const char session_sql[] =
#include "worker/deltas/sql/kid_session.sql.inc"
;
/* clang-format on */

int bm_sync_probe_session(PGconn *conn, int backend_pid, uint64_t limit_msec,
		struct bm_session *out, struct bm_error *err)
{
	char pid[16];
	const char *const params[] = {pid};

	*out = (struct bm_session){0};
	snprintf(pid, sizeof(pid), "%d", backend_pid);
	/* Waiting for its client, a lock or another process is not work. */
	PGresult *rows = bm_ask(conn, session_sql, 1, params, limit_msec, err);
	if (rows == NULL) {
		return -1;
	}
	if (PQntuples(rows) > 0) {
		out->works = PQgetvalue(rows, 0, 0)[0] == 't';
		out->blocker_pid = (pid_t)strtol(PQgetvalue(rows, 0, 1), NULL, 10);
		snprintf(out->blocker_query, sizeof(out->blocker_query), "%s",
				PQgetvalue(rows, 0, 2));
	}
	PQclear(rows);
	return 0;
}
