/*
 * The way back of a migration with direction forward: its destination is captured as well,
 * before it is live. Whatever is missing is made, so that one that was broken off goes on.
 */
#include "worker/cutover/attempt.h"

#include "worker/capture/capture.h"
#include "worker/live/live.h"

/* clang-format off */
/* Bucardo's own triggers on this table are quiet in the replica role of our transactions. */
static const char role_sql[] =
"UPDATE bucardo.dbmap SET role = $2 WHERE role <> $2 AND db = $1 || '_destination'"
" AND dbgroup = $1 || '_dbs' RETURNING 1";

/* A master that works has read the roles at its start. */
static const char reload_sql[] = "SELECT pg_notify('bucardo', 'mcp_reload')";
/* clang-format on */

static int set_role(struct bm_phase *phase, const char *role, bool *is_changed,
		struct bm_error *err)
{
	const char *const params[] = {phase->request.name, role};
	int rc = bm_phase_begin(phase, err);
	PGresult *rows = rc == 0
			? bm_phase_ask(phase, BM_SIDE_CONTROL, role_sql, 2, params, err)
			: NULL;

	*is_changed = rows != NULL && PQntuples(rows) > 0;
	PQclear(rows);
	return bm_phase_end(phase, rows != NULL ? 0 : -1, err);
}

static int reload(struct bm_phase *phase, struct bm_error *err)
{
	return bm_phase_do(phase, BM_SIDE_CONTROL, reload_sql, 0, NULL, err);
}

int bm_cutover_way_back(struct bm_cutover *c, struct bm_error *err)
{
	struct bm_phase *phase = c->phase;
	struct bm_error ignored = BM_ERROR_INIT;
	bool is_changed;

	phase->request.is_both = true;
	/* The role first: what Bucardo writes down on a side depends on it. */
	int rc = set_role(phase, "source", &is_changed, err);
	if (rc == 0) {
		rc = bm_capture_take_all(phase, err);
	}
	if (rc == 0) {
		rc = reload(phase, err);
	}
	if (rc == 0) {
		rc = bm_live_register(phase, err);
	}
	if (rc != 0) {
		bm_cutover_drop_way_back(c, &ignored);
		return bm_error_wrap(err, "capturing the destination");
	}
	return 0;
}

int bm_cutover_drop_way_back(struct bm_cutover *c, struct bm_error *err)
{
	bool is_changed = false;
	int rc = set_role(c->phase, "target", &is_changed, err);

	c->phase->request.is_both = false;
	if (rc == 0 && is_changed) {
		rc = reload(c->phase, err);
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "leaving the way back as it was");
}
