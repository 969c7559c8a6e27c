/* The functions of schema bucardo that are ours; all are called machine_*. */
#include "worker/deltas/delta_repair.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "worker/session/ask.h"
#include "worker/deltas/capture_triggers.h"
#include "worker/deltas/key_steps.h"
#include "worker/session/own_schemas.h"
#include "worker/session/alone.h"

/* clang-format off */
static const char prepare_function[] =
#include "worker/deltas/sql/machine_prepare.sql.inc"
;

static const char stamp_function[] =
#include "worker/deltas/sql/machine_stamp.sql.inc"
;

static const char fresh_function[] =
#include "worker/deltas/sql/machine_fresh_stamp.sql.inc"
;

static const char targets_function[] =
#include "worker/deltas/sql/machine_targets_of.sql.inc"
;

static const char adopt_function[] =
#include "worker/deltas/sql/machine_adopt.sql.inc"
;

static const char requeue_table_function[] =
#include "worker/deltas/sql/machine_heal_table.sql.inc"
;

static const char requeue_function[] =
#include "worker/deltas/sql/machine_heal.sql.inc"
;

static const char proofs_step[] =
#include "worker/deltas/sql/machine_proofs.sql.inc"
;

static const char fold_function[] =
#include "worker/deltas/sql/machine_fold.sql.inc"
;

static const char purge_function[] =
#include "worker/deltas/sql/machine_purge.sql.inc"
;

static const char keep_function[] =
#include "worker/deltas/sql/machine_keep.sql.inc"
;

static const char guard_function[] =
#include "worker/deltas/sql/machine_guard.sql.inc"
;

static const char kept_function[] =
#include "worker/deltas/sql/machine_kept.sql.inc"
;

static const char release_function[] =
#include "worker/deltas/sql/machine_release.sql.inc"
;

static const char share_function[] =
#include "worker/deltas/sql/machine_share.sql.inc"
;

static const char waiting_function[] =
#include "worker/deltas/sql/machine_waiting.sql.inc"
;

static const char names_step[] =
#include "worker/deltas/sql/delta_names.sql.inc"
;

static const char identify_step[] =
#include "worker/deltas/sql/identify.sql.inc"
;

static const char keep_trigger[] =
#include "worker/deltas/sql/keep_trigger.sql.inc"
;

static const char guard_trigger[] =
#include "worker/deltas/sql/guard_trigger.sql.inc"
;

/* In this order; all of it is there already when it is done again. */
static const char *const prepare_steps[] = {
	"CREATE SCHEMA IF NOT EXISTS bucardo",
	bm_own_schemas_sql,
	"CREATE TABLE IF NOT EXISTS bucardo.machine_syncs (sync text PRIMARY KEY, target text NOT NULL)",
	/* One that an older machine made lacks what came later. */
	"DO $machine$ DECLARE c text; BEGIN FOR c IN SELECT w FROM unnest(ARRAY["
	"'stage_rows bigint NOT NULL DEFAULT " BM_BATCH_LIMIT_ROWS "', 'healed bigint NOT NULL DEFAULT 0']) w"
	" WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute"
	"  WHERE attrelid = 'bucardo.machine_syncs'::regclass AND attname = split_part(w, ' ', 1)) LOOP"
	" EXECUTE 'ALTER TABLE bucardo.machine_syncs ADD COLUMN ' || c; END LOOP; END $machine$",
	"CREATE TABLE IF NOT EXISTS bucardo.bucardo_delta_targets (tablename oid NOT NULL,"
	" target text NOT NULL, cdate timestamptz NOT NULL DEFAULT now())",
	"CREATE TABLE IF NOT EXISTS bucardo.machine_targets (tablename text, target text,"
	" seen timestamptz NOT NULL DEFAULT pg_catalog.now(), PRIMARY KEY (tablename, target))",
	names_step, prepare_function, stamp_function, fresh_function, targets_function, adopt_function,
	requeue_table_function, requeue_function, proofs_step, fold_function, purge_function, keep_function, guard_function,
	kept_function, release_function, share_function, waiting_function,
	keep_trigger,
	guard_trigger,
	identify_step,
};
/* clang-format on */

/* A purge this large keeps the server busy for a second or two. */
#define PURGE_ROWS "100000"

static int make_all(struct bm_phase *phase, enum bm_side side, struct bm_error *err)
{
	/* "already exists, skipping" is no news. */
	if (bm_phase_do(phase, side, "SET client_min_messages = warning", 0, NULL, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < BM_COUNT_OF(prepare_steps); i++) {
		if (bm_phase_do(phase, side, prepare_steps[i], 0, NULL, err) != 0) {
			return bm_error_wrap(err, "making schema bucardo on the %s",
					bm_side_name(side));
		}
	}
	for (size_t i = 0; i < bm_keys_step_count; i++) {
		if (bm_phase_do(phase, side, bm_keys_steps[i], 0, NULL, err) != 0) {
			return bm_error_wrap(
					err, "making functions on the %s", bm_side_name(side));
		}
	}
	for (size_t i = 0; i < bm_batch_limit_step_count; i++) {
		if (bm_phase_do(phase, side, bm_batch_limit_steps[i], 0, NULL, err) != 0) {
			return bm_error_wrap(
					err, "making functions on the %s", bm_side_name(side));
		}
	}
	return bm_capture_triggers_prepare(phase, side, err);
}

static int make_functions(struct bm_phase *phase, enum bm_side side, struct bm_error *err)
{
	bool is_alone = bm_alone_begin(phase, side);
	int rc = make_all(phase, side, err);

	bm_alone_end(phase, side, is_alone);
	return rc;
}

int bm_delta_repair_renew(struct bm_phase *phase, enum bm_side side, struct bm_error *err)
{
	PGresult *found = bm_phase_ask(phase, side,
			"SELECT to_regclass('bucardo.machine_syncs') IS NOT NULL", 0, NULL,
			err);
	int rc = found != NULL ? 0 : -1;

	if (rc == 0 && PQgetvalue(found, 0, 0)[0] == 't') {
		rc = make_functions(phase, side, err);
	}
	PQclear(found);
	return rc;
}

int bm_delta_repair_register(struct bm_phase *phase, enum bm_side side, const char *sync,
		const char *target, struct bm_error *err)
{
	const char *const params[] = {sync, target};

	if (make_functions(phase, side, err) != 0) {
		return -1;
	}
	return bm_phase_do(phase, side,
			"INSERT INTO bucardo.machine_syncs (sync, target) VALUES ($1, $2)"
			" ON CONFLICT (sync) DO UPDATE SET target = excluded.target",
			2, params, err);
}

int bm_delta_repair_prepare(struct bm_phase *phase, enum bm_side side, const char *tables,
		struct bm_error *err)
{
	return bm_phase_do(phase, side, "SELECT bucardo.machine_prepare($1::json)", 1, &tables,
			err);
}

int bm_delta_repair_identify(struct bm_phase *phase, enum bm_side side, struct bm_error *err)
{
	int rc = bm_phase_do(phase, side, identify_step, 0, NULL, err);

	rc = rc == 0 ? bm_phase_do(phase, side, "SELECT bucardo.machine_know()", 0, NULL, err)
		     : -1;
	return rc == 0 ? bm_phase_do(phase, side, "SELECT bucardo.machine_capture_renew()", 0,
					 NULL, err)
		       : -1;
}

/* ---- reconciling ---- */

static int64_t ask_number(PGconn *conn, const char *sql, const char *sync, uint64_t limit_msec,
		struct bm_error *err)
{
	PGresult *rows = bm_ask(conn, sql, sync != NULL, &sync, limit_msec, err);
	int64_t number = -1;

	if (rows != NULL) {
		number = PQntuples(rows) > 0 ? strtoll(PQgetvalue(rows, 0, 0), NULL, 10) : 0;
	}
	PQclear(rows);
	return number;
}

static int64_t is_registered(
		PGconn *conn, const char *sync, uint64_t limit_msec, struct bm_error *err)
{
	int64_t any = ask_number(conn,
			"SELECT (to_regclass('bucardo.machine_syncs') IS NOT NULL"
			" AND to_regclass('bucardo.bucardo_delta_names') IS NOT NULL)::int",
			NULL, limit_msec, err);

	return any <= 0 ? any
			: ask_number(conn,
					  "SELECT count(*) FROM bucardo.machine_syncs"
					  " WHERE sync = $1",
					  sync, limit_msec, err);
}

/* -1 with `err`; the transaction is open then. */
static int reconcile(PGconn *conn, const char *sync, bool purge,
		const struct bm_batch_limit_state *limit, uint64_t limit_msec,
		int64_t *requeued, struct bm_error *err)
{
	const char *requeue = purge ? "SELECT bucardo.machine_purge($1, " PURGE_ROWS ")"
				    : "SELECT bucardo.machine_heal($1)";

	if (ask_number(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE", NULL,
			    limit_msec, err) < 0 ||
			ask_number(conn, "SELECT bucardo.machine_stamp($1)", sync, limit_msec,
					err) < 0) {
		return -1;
	}
	if (ask_number(conn, requeue, sync, limit_msec, err) < 0) {
		return -1;
	}
	*requeued = ask_number(conn, "SELECT healed FROM bucardo.machine_syncs WHERE sync = $1",
			sync, limit_msec, err);
	if (*requeued < 0) {
		return -1;
	}
	if (limit != NULL && bm_batch_limit_set(conn, sync, limit, limit_msec, err) != 0) {
		return -1;
	}
	return ask_number(conn, "COMMIT", NULL, limit_msec, err) < 0 ? -1 : 0;
}

/* -1 with `err`; the transaction is open then. The session is read-only by default. */
static int report_alive(PGconn *conn, const char *sync, const char *owner, uint64_t limit_msec,
		struct bm_error *err)
{
	const char *const params[] = {sync, owner};

	if (ask_number(conn, "BEGIN READ WRITE", NULL, limit_msec, err) < 0) {
		return -1;
	}
	PGresult *rows = bm_ask(conn, "SELECT bucardo.machine_seen($1, $2)", 2, params,
			limit_msec, err);
	int rc = rows != NULL ? 0 : -1;
	PQclear(rows);
	if (rc == 0 && ask_number(conn, "COMMIT", NULL, limit_msec, err) < 0) {
		rc = -1;
	}
	return rc;
}

int bm_delta_repair_run(PGconn *conn, const char *sync, const char *owner, bool purge,
		const struct bm_batch_limit_state *limit, uint64_t limit_msec,
		int64_t *requeued, struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;

	*requeued = 0;
	int64_t registered = is_registered(conn, sync, limit_msec, err);
	if (registered <= 0) {
		return (int)registered;
	}
	/* An older machine made the sync, and there is no function yet. */
	if (report_alive(conn, sync, owner, limit_msec, err) != 0) {
		ask_number(conn, "ROLLBACK", NULL, limit_msec, &ignored);
	}
	*err = (struct bm_error)BM_ERROR_INIT;
	if (reconcile(conn, sync, purge, limit, limit_msec, requeued, err) != 0) {
		ask_number(conn, "ROLLBACK", NULL, limit_msec, &ignored);
		return -1;
	}
	return 0;
}
