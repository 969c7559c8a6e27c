/* Functions of schema bucardo that make triggers, and the statements that call them. */
#include "worker/deltas/capture_triggers.h"

#include <string.h>

#include "bucardo_machine/macros.h"
#include "worker/session/ask.h"

/* clang-format off */
static const char base_function[] =
#include "worker/deltas/sql/machine_capture_base.sql.inc"
;

static const char cast_function[] =
#include "worker/deltas/sql/machine_cast_safe.sql.inc"
;

static const char guard_function[] =
#include "worker/deltas/sql/machine_capture_guard.sql.inc"
;

static const char body_function[] =
#include "worker/deltas/sql/machine_capture_body.sql.inc"
;

static const char code_function[] =
#include "worker/deltas/sql/machine_capture_function.sql.inc"
;

static const char pin_function[] =
#include "worker/deltas/sql/machine_pin.sql.inc"
;

static const char truncation_function[] =
#include "worker/deltas/sql/machine_note_truncation.sql.inc"
;

static const char look_function[] =
#include "worker/deltas/sql/machine_capture_look.sql.inc"
;

static const char rows_function[] =
#include "worker/deltas/sql/machine_capture_rows.sql.inc"
;

static const char values_function[] =
#include "worker/deltas/sql/machine_capture_values.sql.inc"
;

static const char renew_function[] =
#include "worker/deltas/sql/machine_capture_renew.sql.inc"
;

static const char one_function[] =
#include "worker/deltas/sql/machine_capture_one.sql.inc"
;

static const char quiet_function[] =
#include "worker/deltas/sql/machine_capture_quiet.sql.inc"
;

static const char wake_function[] =
#include "worker/deltas/sql/machine_capture_wake.sql.inc"
;

static const char change_function[] =
#include "worker/deltas/sql/machine_capture_change.sql.inc"
;

static const char watch_function[] =
#include "worker/deltas/sql/machine_capture_watch.sql.inc"
;

/* In this order. */
static const char *const prepare_steps[] = {
	"CREATE TABLE IF NOT EXISTS bucardo.machine_captured (sync text, tablename text,"
	" state jsonb NOT NULL, rewrite jsonb, since timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (sync, tablename))",
	BM_CAPTURE_UNLOGGED_SQL,
	/* What triggers let pass uncaptured: table, transaction. */
	"CREATE TABLE IF NOT EXISTS bucardo.machine_missed (relation oid NOT NULL, xid bigint NOT NULL)",
	"CREATE INDEX IF NOT EXISTS machine_missed_index ON bucardo.machine_missed (relation, xid)",
	"INSERT INTO bucardo.machine_unlogged DEFAULT VALUES ON CONFLICT DO NOTHING",
	/* An older machine's has a parameter less. */
	"DROP FUNCTION IF EXISTS bucardo.machine_capture_watch(json)",
	base_function, cast_function, guard_function, body_function, code_function, pin_function, truncation_function,
	look_function, rows_function, values_function, one_function, quiet_function, wake_function,
	change_function, watch_function, renew_function,
};

/* What of it a database takes that has no declared sync. */
static const char *const pin_steps[] = {cast_function, guard_function, body_function, code_function, pin_function};

static const char unsafe_sql[] =
#include "worker/deltas/sql/unsafe_functions.sql.inc"
;
/* clang-format on */

int bm_capture_triggers_prepare(struct bm_phase *phase, enum bm_side side, struct bm_error *err)
{
	for (size_t i = 0; i < BM_COUNT_OF(prepare_steps); i++) {
		if (bm_phase_do(phase, side, prepare_steps[i], 0, NULL, err) != 0) {
			return bm_error_wrap(err, "making functions of triggers on the %s",
					bm_side_name(side));
		}
	}
	return 0;
}

int bm_capture_triggers_make(struct bm_phase *phase, enum bm_side side, const char *sync,
		const char *tables, const char *gap, struct bm_error *err)
{
	const char *const params[] = {sync, tables, gap};

	return bm_phase_do(phase, side,
			"SELECT bucardo.machine_capture_one($1, t->>'schema', t->>'name', $3)"
			" FROM json_array_elements($2::json) t",
			3, params, err);
}

int bm_capture_triggers_make_quiet(struct bm_phase *phase, enum bm_side side, const char *sync,
		const char *tables, struct bm_error *err)
{
	const char *const params[] = {sync, tables};

	return bm_phase_do(phase, side,
			"SELECT bucardo.machine_capture_quiet($1, t->>'schema', t->>'name')"
			" FROM json_array_elements($2::json) t",
			2, params, err);
}

/* ---- functions of Bucardo ---- */

static int run(PGconn *conn, const char *sql, uint64_t limit_msec, struct bm_error *err)
{
	PGresult *result = bm_ask(conn, sql, 0, NULL, limit_msec, err);

	PQclear(result);
	return result != NULL ? 0 : -1;
}

static int pin(PGconn *conn, uint64_t limit_msec, struct bm_error *err)
{
	int rc = run(conn, "BEGIN READ WRITE", limit_msec, err);

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(pin_steps); i++) {
		rc = run(conn, pin_steps[i], limit_msec, err);
	}
	if (rc == 0) {
		rc = run(conn, "SELECT bucardo.machine_pin()", limit_msec, err);
	}
	return rc == 0 ? run(conn, "COMMIT", limit_msec, err) : -1;
}

int bm_capture_pin(PGconn *conn, uint64_t limit_msec, struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *found = bm_ask(conn, unsafe_sql, 0, NULL, limit_msec, err);
	int rc = found != NULL ? 0 : -1;

	if (rc == 0 && strcmp(PQgetvalue(found, 0, 0), "0") != 0) {
		rc = pin(conn, limit_msec, err);
		if (rc != 0) {
			run(conn, "ROLLBACK", limit_msec, &ignored);
		}
	}
	PQclear(found);
	return rc;
}
