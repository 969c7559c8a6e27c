/* The ring's session, and its statements. */
#include "bucardo_machine/history.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "worker/session/ask.h"

/* One that knows only versions up to this leaves a later one alone. */
#define VERSION 1

#define CONNECT_LIMIT_MSEC 3000
#define STATEMENT_LIMIT_MSEC 5000
#define COARSE_SEC 300
#define DAY_SEC 86400

struct bm_history {
	char *socket_dir;
	PGconn *conn;	     /* NULL: none */
	bool is_prepared;    /* the tables are there, and of no later version */
	int64_t coarse_done; /* up to then the rows of 5 minutes are written; 0 nobody knows */
};

static const char begin_sql[] =
#include "worker/history/sql/history_begin.sql.inc"
		;
static const char write_sql[] =
#include "worker/history/sql/history_write.sql.inc"
		;
static const char coarse_sql[] =
#include "worker/history/sql/history_coarse.sql.inc"
		;
static const char prune_sql[] =
#include "worker/history/sql/history_prune.sql.inc"
		;
static const char attempts_sql[] =
#include "worker/history/sql/history_attempts.sql.inc"
		;
static const char read_sql[] =
#include "worker/history/sql/history_read.sql.inc"
		;

static const char version_sql[] = "SELECT max(version) FROM machine.history_version";

/* The server ends what we would wait for no longer; a crash may cost the last rows. */
static const char limits_sql[] = "SET statement_timeout = '4s'; SET lock_timeout = '2s';"
				 " SET synchronous_commit = off; SET work_mem = '4MB'";

struct bm_history *bm_history_create(const char *socket_dir)
{
	struct bm_history *history = bm_alloc(sizeof(*history));

	history->socket_dir = bm_strdup(socket_dir);
	return history;
}

/* ---- the session ---- */

void bm_history_rest(struct bm_history *history)
{
	PQfinish(history->conn);
	history->conn = NULL;
}

/* After a failure: tables may be gone, rows may be missing. */
static void disconnect(struct bm_history *history)
{
	bm_history_rest(history);
	history->is_prepared = false;
	history->coarse_done = 0;
}

static PGconn *dial(const struct bm_history *history, struct bm_error *err)
{
	static const char *const words[][2] = {{"port", "5432"}, {"dbname", "bucardo"},
			{"user", "bucardo"}, {"client_encoding", "UTF8"},
			{"application_name", "bucardo-machine history"}};
	struct bm_conninfo info = {0};

	bm_conninfo_put(&info, "host", history->socket_dir);
	for (size_t i = 0; i < BM_COUNT_OF(words); i++) {
		bm_conninfo_put(&info, words[i][0], words[i][1]);
	}
	PGconn *conn = bm_ask_connect(&info, BM_SESSION_CONTROL, CONNECT_LIMIT_MSEC, err);
	bm_conninfo_finish(&info);
	return conn;
}

static int script(struct bm_history *history, const char *sql, struct bm_error *err)
{
	PGresult *result = bm_ask_script(history->conn, sql, STATEMENT_LIMIT_MSEC, err);

	PQclear(result);
	return result != NULL ? 0 : -1;
}

/* Nothing is written where a later version was before; who reads makes no table. */
static int check_version(struct bm_history *history, bool to_write, struct bm_error *err)
{
	PGresult *rows = bm_ask_script(history->conn, to_write ? begin_sql : version_sql,
			STATEMENT_LIMIT_MSEC, err);
	int version = rows != NULL ? atoi(PQgetvalue(rows, 0, 0)) : 0;

	PQclear(rows);
	if (version > VERSION) {
		return bm_error_set(err, BM_ERR_NEWER,
				"the history in it has version %d, and this "
				"bucardo-machine " BM_VERSION " knows versions up to %d",
				version, VERSION);
	}
	history->is_prepared = version > 0 && to_write;
	return version > 0 ? 0 : -1;
}

static int connect_to(struct bm_history *history, bool to_write, struct bm_error *err)
{
	if (history->conn == NULL || PQstatus(history->conn) != CONNECTION_OK) {
		bm_history_rest(history);
		history->conn = dial(history, err);
		if (history->conn == NULL) {
			return -1;
		}
		if (script(history, limits_sql, err) != 0) {
			return -1;
		}
	}
	return history->is_prepared ? 0 : check_version(history, to_write, err);
}

/* A session that failed is not used again: tables may be gone, or the disk was full. */
static PGresult *ask(struct bm_history *history, bool to_write, const char *sql, int count,
		const char *const *params, struct bm_error *err)
{
	PGresult *result = connect_to(history, to_write, err) != 0
			? NULL
			: bm_ask(history->conn, sql, count, params, STATEMENT_LIMIT_MSEC, err);
	if (result == NULL) {
		disconnect(history);
		bm_error_wrap(err, "the control database");
	}
	return result;
}

static int carry_out(struct bm_history *history, const char *sql, int count,
		const char *const *params, struct bm_error *err)
{
	PGresult *result = ask(history, true, sql, count, params, err);

	PQclear(result);
	return result != NULL ? 0 : -1;
}

/* ---- writing ---- */

static const char *number(int64_t value, char out[24])
{
	snprintf(out, 24, "%" PRId64, value);
	return out;
}

/* After a start all of the last day is looked at: what was cut is made up for. */
static int write_coarse(struct bm_history *history, int64_t now, struct bm_error *err)
{
	int64_t until = now - now % COARSE_SEC;
	int64_t day_ago = until - DAY_SEC;
	char from[24], to[24], at[24];

	if (history->coarse_done == until) {
		return 0;
	}
	bool is_known = history->coarse_done > day_ago && history->coarse_done < until;
	const char *const span[] = {number(is_known ? history->coarse_done : day_ago, from),
			number(until, to)};
	const char *const clock[] = {number(now, at)};
	if (carry_out(history, coarse_sql, 2, span, err) != 0 ||
			carry_out(history, prune_sql, 1, clock, err) != 0) {
		return -1;
	}
	history->coarse_done = until;
	return 0;
}

int bm_history_write(struct bm_history *history, const struct json_t *rows, int64_t now,
		struct bm_error *err)
{
	char *text = json_dumps(rows, JSON_COMPACT);
	const char *const params[] = {text};
	int rc = text != NULL ? carry_out(history, write_sql, 1, params, err)
			      : bm_error_set(err, BM_ERR_INTERNAL, "the rows are no JSON");

	free(text);
	return rc == 0 ? write_coarse(history, now, err) : -1;
}

/* ---- reading ---- */

char *bm_history_read(struct bm_history *history, const char *migration, int64_t from,
		int64_t to, int64_t now, struct bm_error *err)
{
	char texts[4][24];
	const char *const params[] = {migration, number(from, texts[0]), number(to, texts[1]),
			number(BM_HISTORY_ROWS, texts[2]), number(now, texts[3])};
	PGresult *rows = ask(history, false, read_sql, BM_COUNT_OF(params), params, err);
	bool known = rows != NULL && PQntuples(rows) > 0;
	char *page = known ? bm_strdup(PQgetvalue(rows, 0, 0)) : NULL;

	if (rows != NULL && !known) {
		bm_error_set(err, BM_ERR_CONFIG,
				"nothing was ever kept of a migration of this name");
	}
	PQclear(rows);
	return page;
}

char *bm_history_attempts(struct bm_history *history, struct bm_error *err)
{
	PGresult *rows = ask(history, true, attempts_sql, 0, NULL, err);
	char *all = rows != NULL ? bm_strdup(PQgetvalue(rows, 0, 0)) : NULL;

	PQclear(rows);
	return all;
}
