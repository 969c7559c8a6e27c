#include "worker/deltas/batch_limit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "worker/session/ask.h"

/* clang-format off */
static const char unpark_function[] =
#include "worker/deltas/sql/machine_unpark.sql.inc"
;

static const char stage_function[] =
#include "worker/deltas/sql/machine_stage.sql.inc"
;
static const char check_function[] =
#include "worker/deltas/sql/machine_delta_check.sql.inc"
;
/* clang-format on */

const char *const bm_batch_limit_steps[] = {unpark_function, stage_function, check_function};
const size_t bm_batch_limit_step_count = BM_COUNT_OF(bm_batch_limit_steps);

bool bm_batch_limit_is_collision(const char *text)
{
	/* Class 23: integrity constraint violation. */
	return strstr(text, "SQLSTATE 23") != NULL;
}

/* A statement about the sync that gives nothing to read. */
static int report(PGconn *conn, const char *sql, const char *sync,
		const struct bm_batch_limit_state *state, uint64_t limit_msec,
		struct bm_error *err)
{
	char waiting[24], deferred[24];
	const char *const params[] = {sync, waiting, deferred};

	snprintf(waiting, sizeof(waiting), "%" PRId64, state->waiting);
	snprintf(deferred, sizeof(deferred), "%" PRId64, state->deferred);
	PGresult *result = bm_ask(conn, sql, 3, params, limit_msec, err);
	PQclear(result);
	return result != NULL ? 0 : -1;
}

int bm_batch_limit_set(PGconn *conn, const char *sync, const struct bm_batch_limit_state *state,
		uint64_t limit_msec, struct bm_error *err)
{
	/* A run that failed has deferred nothing: what it was about to defer counts too. */
	const char *off = "UPDATE bucardo.machine_syncs SET stage_rows = 0 WHERE sync = $1"
			  " AND stage_rows > 0 AND ($3::bigint > 0 OR $2::bigint > stage_rows)";
	const char *on = "UPDATE bucardo.machine_syncs SET stage_rows = DEFAULT WHERE sync = $1"
			 " AND stage_rows = 0 AND $2::bigint = 0 AND $3::bigint = 0";
	const char *back = "SELECT bucardo.machine_unpark($1, 20000)"
			   " WHERE $3::bigint > 0 AND $2::bigint = $3::bigint";

	if (report(conn, state->collided ? off : on, sync, state, limit_msec, err) != 0) {
		return -1;
	}
	return state->idle ? report(conn, back, sync, state, limit_msec, err) : 0;
}
