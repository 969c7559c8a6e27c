/* Rows of bucardo.sync, and the words that the master listens for. */
#include "worker/deltas/sync_switch.h"

#include "bucardo_machine/syncs.h"

/* The net below the kicks; a run without rows costs little. */
#define CHECKTIME "30 seconds"

#define OURS "name ~ ('^' || $1 || '" BM_SYNC_SUFFIXES "')"

/* clang-format off */
static const char activate_sql[] =
"WITH changed AS (UPDATE bucardo.sync SET status = 'active', checktime = '" CHECKTIME "'"
" WHERE " OURS " AND status <> 'active' RETURNING 'activate_sync_' || name AS word)"
" SELECT pg_notify('bucardo', word), pg_notify('bucardo_' || word, '') FROM changed";

static const char deactivate_sql[] =
"WITH changed AS (UPDATE bucardo.sync SET status = 'inactive'"
" WHERE " OURS " AND status <> 'inactive' RETURNING 'deactivate_sync_' || name AS word)"
" SELECT pg_notify('bucardo', word), pg_notify('bucardo_' || word, '') FROM changed";

static const char kick_sql[] =
"SELECT pg_notify('bucardo', 'kick_sync_' || name) FROM bucardo.sync"
" WHERE " OURS " AND status = 'active'";
/* clang-format on */

static int switch_all(struct bm_phase *phase, const char *sql, struct bm_error *err)
{
	const char *const name[] = {phase->request.name};
	int rc = bm_phase_begin(phase, err);

	if (rc == 0) {
		rc = bm_phase_do(phase, BM_SIDE_CONTROL, sql, 1, name, err);
	}
	return bm_phase_end(phase, rc, err);
}

int bm_syncs_activate(struct bm_phase *phase, struct bm_error *err)
{
	return switch_all(phase, activate_sql, err) == 0
			? 0
			: bm_error_wrap(err, "activating the syncs");
}

int bm_syncs_deactivate(struct bm_phase *phase, struct bm_error *err)
{
	return switch_all(phase, deactivate_sql, err) == 0
			? 0
			: bm_error_wrap(err, "deactivating the syncs");
}

int bm_syncs_kick(struct bm_phase *phase, struct bm_error *err)
{
	const char *const name[] = {phase->request.name};

	return bm_phase_do(phase, BM_SIDE_CONTROL, kick_sql, 1, name, err);
}
