#include "worker/scan/moment.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "worker/deltas/purge_lock.h"
#include "worker/session/ask.h"
#include "worker/scan/digest.h"

#define BEGIN_LIMIT_MSEC 60000

/* One side waits as long as the other one's statement takes (BM_PAIR_LIMIT_MSEC); who keeps
 * purges out asks at once. */
#define SNAPSHOT_IDLE "5h"
#define LOCK_IDLE "10min"

/* Of one snapshot's limit each statement may take a part: one sums up, others list. */
#define STATEMENTS 3
#define IDLE_MORE_MSEC ((uint64_t)60 * 1000)

#define BEGIN_SNAPSHOT "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

/* A transaction with our settings, ended by the server should we be cut off. */
int bm_moment_start(PGconn *conn, const char *how, const char *then, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_strbuf_printf(&sql, "%s; ", how);
	bm_session_local_sql(BM_SESSION_VERIFY, PQserverVersion(conn),
			PQparameterStatus(conn, "server_encoding"), &sql);
	bm_strbuf_printf(&sql, "; SET LOCAL idle_in_transaction_session_timeout = '%s'; %s",
			strcmp(how, BEGIN_SNAPSHOT) == 0 ? SNAPSHOT_IDLE : LOCK_IDLE, then);
	PGresult *result = bm_ask_script(conn, bm_strbuf_text(&sql), BEGIN_LIMIT_MSEC, err);
	bm_strbuf_finish(&sql);
	PQclear(result);
	return result != NULL ? 0 : -1;
}

void bm_moment_stop(PGconn *conn)
{
	if (PQtransactionStatus(conn) != PQTRANS_IDLE) {
		bm_pair_do(conn, "ROLLBACK", &(struct bm_error)BM_ERROR_INIT);
	}
}

char *bm_moment_keys_sql(const struct bm_verify_table *table, const char *place)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_strbuf_puts(&sql, "SELECT DISTINCT ");
	bm_digest_key_texts(table, &sql);
	bm_strbuf_printf(&sql, " FROM %s", place);
	return bm_strbuf_detach(&sql);
}

char *bm_moment_truncated_sql(const struct bm_verify_table *table)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_strbuf_puts(&sql,
			"SELECT count(*), count(*) FILTER (WHERE replicated IS NULL)"
			" FROM bucardo.bucardo_truncate_trigger WHERE sname = ");
	bm_quote_literal(&sql, table->schema);
	bm_strbuf_puts(&sql, " AND tname = ");
	bm_quote_literal(&sql, table->plain);
	return bm_strbuf_detach(&sql);
}

/* As many as are kept at all, and one more, which says that there are too many. */
static int add_keys(PGconn *conn, const char *sql, struct bm_keys *keys, struct bm_moment *out,
		struct bm_error *err)
{
	char *limited = bm_format("%s LIMIT %d", sql, BM_KEYS_MOST + 1);
	PGresult *rows = bm_pair_ask_one(conn, limited, 0, NULL, err);

	free(limited);
	for (int row = 0; rows != NULL && row < PQntuples(rows) && !out->too_many; row++) {
		out->too_many = !bm_keys_add(keys, rows, row);
	}
	out->too_many = out->too_many || (rows != NULL && PQntuples(rows) > BM_KEYS_MOST);
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

/* Whether a table is there is asked of the catalog as it is now, which no snapshot holds back.
 */
static int add_pending(PGconn *conn, const struct bm_verify_table *table,
		enum bm_pair_side side, struct bm_moment *out, struct bm_error *err)
{
	const char *const params[] = {table->deferred_name[side]};

	if (table->pending[side] == NULL) {
		return 0;
	}
	PGresult *found = bm_pair_ask_one(
			conn, "SELECT to_regclass($1) IS NOT NULL", 1, params, err);
	bool is_there = found != NULL && PQgetvalue(found, 0, 0)[0] == 't';
	int rc = found != NULL ? add_keys(conn, table->pending[side], &out->pending, out, err)
			       : -1;

	PQclear(found);
	if (rc == 0 && is_there) {
		rc = add_keys(conn, table->deferred[side], &out->pending, out, err);
	}
	return rc == 0 && table->applied[side] != NULL
			? add_keys(conn, table->applied[side], &out->applied, out, err)
			: rc;
}

/* One may come and be replicated between the two snapshots, so none may have come. */
struct truncates {
	int64_t before[BM_PAIR_SIDES], after[BM_PAIR_SIDES];
};

static int count_truncates(PGconn *conn, const char *sql, int64_t *count, struct bm_moment *out,
		struct bm_error *err)
{
	PGresult *rows = sql != NULL ? bm_pair_ask_one(conn, sql, 0, NULL, err) : NULL;

	if (rows != NULL) {
		*count = strtoll(PQgetvalue(rows, 0, 0), NULL, 10);
		out->truncated = out->truncated || strcmp(PQgetvalue(rows, 0, 1), "0") != 0;
	}
	PQclear(rows);
	return sql == NULL || rows != NULL ? 0 : -1;
}

/* Who purges holds it shared to the end of his transaction, so one that has begun is waited
 * for. */
int bm_moment_lock(
		struct bm_pair *pair, const struct bm_verify_table *table, struct bm_error *err)
{
	int rc = 0;

	for (enum bm_pair_side side = 0; rc == 0 && side < BM_PAIR_SIDES; side++) {
		if (table->pending[side] != NULL) {
			rc = bm_moment_start(pair->aside[side], "BEGIN",
					"SET LOCAL lock_timeout = '30s'; SELECT "
					"pg_advisory_xact_lock(" BM_PURGE_LOCK ")",
					err);
			rc = rc == 0 ? 0
				     : bm_error_wrap(err, "%s: keeping purges out",
						       bm_pair_side_name(side));
		}
	}
	return rc;
}

/* The source first (proofs.c says why). */
int bm_moment_unlock(struct bm_pair *pair, int rc, struct bm_error *err)
{
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		PGconn *conn = pair->aside[side];
		if (rc == 0 && PQtransactionStatus(conn) == PQTRANS_INTRANS) {
			rc = bm_pair_do(conn, "COMMIT", err);
		}
		bm_moment_stop(conn);
	}
	return rc;
}

static int begin_snapshots(struct bm_pair *pair, uint64_t limit_msec, struct bm_error *err)
{
	static const enum bm_pair_side order[] = {BM_PAIR_DESTINATION, BM_PAIR_SOURCE};
	char *then = limit_msec == 0
			? bm_strdup("SELECT 1")
			: bm_format("SET LOCAL statement_timeout = '%" PRIu64 "ms'; SET LOCAL"
				    " idle_in_transaction_session_timeout = '%" PRIu64
				    "ms'; SELECT 1",
					  limit_msec / STATEMENTS, limit_msec + IDLE_MORE_MSEC);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(order); i++) {
		rc = bm_moment_start(pair->main[order[i]], BEGIN_SNAPSHOT, then, err);
		rc = rc == 0 ? 0 : bm_error_wrap(err, "%s", bm_pair_side_name(order[i]));
	}
	free(then);
	return rc;
}

static int take(struct bm_pair *pair, const struct bm_verify_table *table, uint64_t limit_msec,
		struct truncates *truncates, struct bm_moment *out, struct bm_error *err)
{
	PGconn *source = pair->main[BM_PAIR_SOURCE];

	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		if (count_truncates(pair->aside[side], table->truncated[side],
				    &truncates->before[side], out, err) != 0) {
			return bm_error_wrap(err, "%s", bm_pair_side_name(side));
		}
	}
	if (begin_snapshots(pair, limit_msec, err) != 0) {
		return -1;
	}
	if (add_pending(source, table, BM_PAIR_SOURCE, out, err) != 0 ||
			count_truncates(source, table->truncated[BM_PAIR_SOURCE],
					&truncates->after[BM_PAIR_SOURCE], out, err) != 0) {
		return bm_error_wrap(err, "source");
	}
	if (add_pending(pair->aside[BM_PAIR_DESTINATION], table, BM_PAIR_DESTINATION, out,
			    err) != 0 ||
			count_truncates(pair->aside[BM_PAIR_DESTINATION],
					table->truncated[BM_PAIR_DESTINATION],
					&truncates->after[BM_PAIR_DESTINATION], out,
					err) != 0) {
		return bm_error_wrap(err, "destination");
	}
	out->truncated = out->truncated ||
			memcmp(truncates->before, truncates->after, sizeof(truncates->after)) !=
					0;
	return 0;
}

int bm_moment_begin(struct bm_pair *pair, const struct bm_verify_table *table,
		uint64_t limit_msec, struct bm_moment *out, struct bm_error *err)
{
	*out = (struct bm_moment){0};
	struct truncates truncates = {0};
	bm_keys_init(&out->pending, table->key_count);
	bm_keys_init(&out->applied, table->key_count);
	int rc = bm_moment_lock(pair, table, err);
	if (rc == 0) {
		rc = take(pair, table, limit_msec, &truncates, out, err);
	}
	bm_moment_stop(pair->aside[BM_PAIR_SOURCE]);
	bm_moment_stop(pair->aside[BM_PAIR_DESTINATION]);
	bm_keys_sort(&out->pending);
	return rc;
}

bool bm_moment_was_too_long(const struct bm_error *err)
{
	return err->code == BM_ERR_SQL && strcmp(err->sqlstate, "57014") == 0;
}

void bm_moment_end(struct bm_pair *pair, struct bm_moment *moment)
{
	bm_moment_stop(pair->main[BM_PAIR_SOURCE]);
	bm_moment_stop(pair->main[BM_PAIR_DESTINATION]);
	bm_keys_finish(&moment->pending);
	bm_keys_finish(&moment->applied);
}
