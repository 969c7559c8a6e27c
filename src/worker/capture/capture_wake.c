/* One table after another, each in a transaction of its own. */
#include "worker/capture/capture_wake.h"

#include <stdio.h>
#include <string.h>

#include "bucardo_machine/syncs.h"

/* clang-format off */
/* By what was written down: of a table that was renamed since, too; and no trigger of a sync that a
 * person added. */
static const char quiet_sql[] =
"SELECT DISTINCT c.oid, c.oid::regclass FROM bucardo.machine_captured m"
" JOIN pg_class c ON c.oid = (m.state->>'table')::oid"
" JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = 'bucardo_delta' AND t.tgenabled = 'O'"
" WHERE m.sync ~ ('^' || $1 || '" BM_SYNC_SUFFIXES "') AND pg_has_role(c.relowner, 'USAGE')"
" ORDER BY 1";

static const char holder_sql[] =
#include "worker/capture/sql/lock_holder.sql.inc"
;
/* clang-format on */

static const char lock_not_available[] = "55P03";
static const char undefined_table[] = "42P01";

/* Who was in the way; phase->hint is filled when it can be seen. */
static int report_locked(struct bm_phase *phase, const char *table, struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *rows = bm_phase_ask(
			phase, BM_SIDE_DESTINATION, holder_sql, 1, &table, &ignored);
	char holder[200] = "somebody";

	if (rows != NULL && PQntuples(rows) > 0) {
		snprintf(holder, sizeof(holder), "process %s (%.110s)", PQgetvalue(rows, 0, 0),
				PQgetvalue(rows, 0, 1));
		snprintf(phase->hint, sizeof(phase->hint), "%s", PQgetvalue(rows, 0, 2));
	}
	PQclear(rows);
	return bm_error_set(err, BM_ERR_TRANSIENT,
			"cannot let the capture trigger of %s on the destination fire always: %s "
			"holds a lock on the table",
			table, holder);
}

static int wake(struct bm_phase *phase, const char *oid, const char *table,
		struct bm_error *err)
{
	int rc = bm_phase_do(phase, BM_SIDE_DESTINATION,
			"SELECT bucardo.machine_capture_wake($1::oid)", 1, &oid, err);

	if (rc != 0 && strcmp(err->sqlstate, lock_not_available) == 0) {
		return report_locked(phase, table, err);
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "letting the trigger of %s fire always", table);
}

int bm_capture_wake(struct bm_phase *phase, struct bm_error *err)
{
	const char *const name[] = {phase->request.name};
	PGresult *rows = bm_phase_ask(phase, BM_SIDE_DESTINATION, quiet_sql, 1, name, err);
	int rc = 0;

	if (rows == NULL && strcmp(err->sqlstate, undefined_table) == 0) {
		/* An older machine captured it: its triggers fire always. */
		*err = (struct bm_error)BM_ERROR_INIT;
		return 0;
	}
	if (rows == NULL) {
		return bm_error_wrap(err, "looking for triggers on the destination");
	}
	for (int i = 0; rc == 0 && i < PQntuples(rows); i++) {
		rc = wake(phase, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1), err);
	}
	PQclear(rows);
	return rc;
}
