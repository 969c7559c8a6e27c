#include "worker/apply/apply.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/apply/internal.h"
#include "worker/session/ask.h"

#define CREATE_LIMIT_MSEC 120000

/* Of a ROLLBACK; in a transaction of the caller's writers may wait for the end of it. */
#define UNDO_LIMIT_MSEC 2000
#define UNDO_CALLERS_MSEC 50

/* The size of a table is not told while somebody has it for himself alone. */
#define CREATE_LOCKS "SET lock_timeout = '3s'; SET statement_timeout = '60s'"
#define USUAL_LOCKS "SET lock_timeout = 0; SET statement_timeout = 0"

/* Carried keys that are remembered for the comparison. */
#define REMEMBERED_BYTES ((size_t)64 << 20)

/* ---- preparing ---- */

static int check_session(struct bm_apply *apply, struct bm_error *err)
{
	PGresult *row = bm_ask(apply->conns[BM_APPLY_TO],
			"SELECT pg_catalog.current_setting('session_replication_role') = 'replica' AND"
			" pg_catalog.current_setting('" BM_SESSION_APPLYING "', true) = 'on'",
			0, NULL, CREATE_LIMIT_MSEC, err);
	bool is_applying = row != NULL && PQgetvalue(row, 0, 0)[0] == 't';

	if (row != NULL && !is_applying) {
		bm_error_set(err, BM_ERR_PRECONDITION,
				"the role may not set session_replication_role on the %s, which applying takes",
				bm_apply_end_name(apply, BM_APPLY_TO));
	}
	PQclear(row);
	return is_applying ? 0 : -1;
}

static int set_encoding(PGconn *conn, struct bm_error *err)
{
	PGresult *done = bm_ask(conn, "SET client_encoding = 'SQL_ASCII'", 0, NULL,
			CREATE_LIMIT_MSEC, err);

	PQclear(done);
	return done != NULL ? 0 : -1;
}

static int set_locks(struct bm_apply *apply, const char *sql, struct bm_error *err)
{
	int rc = 0;

	for (enum bm_apply_end end = 0; rc == 0 && end < BM_APPLY_ENDS; end++) {
		PGresult *done = bm_ask_script(apply->conns[end], sql, CREATE_LIMIT_MSEC, err);
		rc = done != NULL ? 0 : -1;
		PQclear(done);
	}
	return rc;
}

/* Where one side is a database of bytes, bytes go over, as in a KID (bytes_for_all in
 * launch.pl). */
static int choose_encoding(struct bm_apply *apply, struct bm_error *err)
{
	bool bytes = false;
	int rc = 0;

	for (enum bm_apply_end end = 0; end < BM_APPLY_ENDS; end++) {
		const char *encoding = PQparameterStatus(apply->conns[end], "server_encoding");
		bytes = bytes || (encoding != NULL && strcmp(encoding, "SQL_ASCII") == 0);
	}
	for (enum bm_apply_end end = 0; bytes && rc == 0 && end < BM_APPLY_ENDS; end++) {
		rc = set_encoding(apply->conns[end], err);
	}
	return rc;
}

struct bm_apply *bm_apply_create(PGconn *from, PGconn *to, const char *migration,
		enum bm_side from_side, struct bm_error *err)
{
	static _Atomic unsigned created;
	struct bm_apply *apply = bm_alloc(sizeof(*apply));

	*apply = (struct bm_apply){.conns = {from, to},
			.migration = bm_strdup(migration),
			.from_side = from_side,
			.number = atomic_fetch_add(&created, 1),
			.deadline_msec = bm_clock_msec() + CREATE_LIMIT_MSEC};
	struct bm_error ignored = BM_ERROR_INIT;
	int rc = set_locks(apply, CREATE_LOCKS, err);
	if (rc == 0 &&
			(check_session(apply, err) != 0 || choose_encoding(apply, err) != 0 ||
					bm_apply_read(apply, err) != 0 ||
					bm_apply_prepare(apply, err) != 0)) {
		rc = -1;
	}
	if (set_locks(apply, USUAL_LOCKS, rc == 0 ? err : &ignored) != 0 || rc != 0) {
		bm_error_wrap(err, "preparing to apply");
		bm_apply_destroy(apply);
		return NULL;
	}
	return apply;
}

void bm_apply_destroy(struct bm_apply *apply)
{
	if (apply == NULL) {
		return;
	}
	bm_apply_free_tables(apply);
	free(apply->captured);
	free(apply->migration);
	free(apply);
}

/* ---- a pass ---- */

static int check_state(struct bm_apply *apply, struct bm_error *err)
{
	PGTransactionStatusType from = PQtransactionStatus(apply->conns[BM_APPLY_FROM]);

	if ((from != PQTRANS_IDLE && from != PQTRANS_INTRANS) ||
			PQtransactionStatus(apply->conns[BM_APPLY_TO]) != PQTRANS_IDLE) {
		return bm_error_set(err, BM_ERR_TRANSIENT,
				"a session is lost, or in a transaction that failed");
	}
	apply->is_callers = from == PQTRANS_INTRANS;
	return 0;
}

static int run_within(PGconn *conn, const char *sql, uint64_t limit_msec, struct bm_error *err)
{
	PGresult *done = bm_ask(conn, sql, 0, NULL, limit_msec, err);

	PQclear(done);
	return done != NULL ? 0 : -1;
}

/* The session as it was before, or cut off. */
static void undo_one(PGconn *conn, const char *first, const char *then, uint64_t limit_msec)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGTransactionStatusType state = PQtransactionStatus(conn);

	if (PQstatus(conn) != CONNECTION_OK || state == PQTRANS_IDLE) {
		return;
	}
	if (state == PQTRANS_ACTIVE || state == PQTRANS_UNKNOWN ||
			run_within(conn, first, limit_msec, &ignored) != 0 ||
			(then != NULL && run_within(conn, then, limit_msec, &ignored) != 0)) {
		bm_pipeline_cut(conn);
	}
}

static void undo(struct bm_apply *apply)
{
	if (apply->is_callers) {
		undo_one(apply->conns[BM_APPLY_FROM], "ROLLBACK TO SAVEPOINT bm_apply",
				"RELEASE SAVEPOINT bm_apply", UNDO_CALLERS_MSEC);
		undo_one(apply->conns[BM_APPLY_TO], "ROLLBACK", NULL, UNDO_CALLERS_MSEC);
	} else {
		undo_one(apply->conns[BM_APPLY_TO], "ROLLBACK", NULL, UNDO_LIMIT_MSEC);
		undo_one(apply->conns[BM_APPLY_FROM], "ROLLBACK", NULL, UNDO_LIMIT_MSEC);
	}
}

/* The rows are there: the marks may be. */
static int write_marks(struct bm_apply *apply, struct bm_error *err)
{
	return run_within(apply->conns[BM_APPLY_FROM],
			       apply->is_callers ? "RELEASE SAVEPOINT bm_apply" : "COMMIT",
			       bm_apply_left(apply), err) == 0
			? 0
			: bm_error_wrap(err, "marking what was applied as done");
}

/* Moves the keys of this pass to those that were carried. */
static void remember(struct bm_apply *apply, struct bm_apply_table *table)
{
	struct bm_apply_chunks *all = &table->carried, *now = &table->now;

	apply->carried_bytes += bm_apply_chunks_bytes(table, now);
	if (apply->carried_bytes > REMEMBERED_BYTES) {
		apply->too_many = true;
		return;
	}
	all->list = bm_realloc(all->list, all->count + now->count + 1, sizeof(*all->list));
	for (size_t i = 0; i < now->count; i++) {
		all->list[all->count++] = now->list[i];
	}
	now->count = 0;
}

static void end_pass(struct bm_apply *apply, int rc)
{
	for (size_t i = 0; i < apply->count; i++) {
		struct bm_apply_table *table = &apply->tables[i];
		if (rc == 0 && table->now.count > 0) {
			remember(apply, table);
		}
		bm_apply_chunks_clear(table, &table->now);
		table->waits = table->has_twins = false;
	}
	apply->result.msec = bm_clock_msec() - apply->begun_msec;
}

static int pass_once(struct bm_apply *apply, struct bm_error *err)
{
	apply->result = (struct bm_apply_result){0};
	int rc = bm_apply_take_keys(apply, err);
	if (rc == 0 && apply->result.keys > 0) {
		rc = bm_apply_rows(apply, err);
	}
	rc = rc == 0 ? write_marks(apply, err) : rc;
	if (rc != 0) {
		undo(apply);
	}
	end_pass(apply, rc);
	return rc;
}

/* Somebody else changed a key that waits in the same moment, such as the sampler that queues
 * one again: in a transaction of its own the pass may read it anew. */
static bool is_worth_another(const struct bm_apply *apply, const struct bm_error *err)
{
	return strcmp(err->sqlstate, "40001") == 0 && bm_clock_msec() < apply->deadline_msec;
}

int bm_apply_pass(struct bm_apply *apply, uint64_t limit_msec, struct bm_apply_result *result,
		struct bm_error *err)
{
	apply->begun_msec = bm_clock_msec();
	apply->deadline_msec = apply->begun_msec + limit_msec;
	if (check_state(apply, err) != 0) {
		return bm_error_wrap(err, "applying what waits");
	}
	bool is_own = PQtransactionStatus(apply->conns[BM_APPLY_FROM]) == PQTRANS_IDLE;
	int rc = pass_once(apply, err);
	while (rc != 0 && is_own && is_worth_another(apply, err)) {
		*err = (struct bm_error)BM_ERROR_INIT;
		rc = pass_once(apply, err);
	}
	if (rc != 0) {
		bm_error_wrap(err, "applying what waits on the %s",
				bm_apply_end_name(apply, BM_APPLY_FROM));
	}
	if (result != NULL) {
		*result = apply->result;
	}
	return rc;
}

void bm_apply_forget(struct bm_apply *apply)
{
	for (size_t i = 0; i < apply->count; i++) {
		bm_apply_chunks_clear(&apply->tables[i], &apply->tables[i].carried);
	}
	apply->carried_bytes = 0;
	apply->too_many = false;
}
