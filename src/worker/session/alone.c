/* The advisory lock of those who make something of ours on a side. */
#include "worker/session/alone.h"

/* The longest batch of another worker takes less than the 20 s. The key is one of those that
 * fence.h lists. */
/* clang-format off */
static const char lock_sql[] =
#include "worker/session/sql/alone.sql.inc"
;
/* clang-format on */

static bool is_in_transaction(struct bm_phase *phase, enum bm_side side)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGconn *conn = bm_phase_conn(phase, side, &ignored);

	return conn == NULL || PQtransactionStatus(conn) != PQTRANS_IDLE;
}

bool bm_alone_begin(struct bm_phase *phase, enum bm_side side)
{
	struct bm_error ignored = BM_ERROR_INIT;

	return !is_in_transaction(phase, side) &&
			bm_phase_do(phase, side, lock_sql, 0, NULL, &ignored) == 0;
}

void bm_alone_end(struct bm_phase *phase, enum bm_side side, bool is_alone)
{
	struct bm_error ignored = BM_ERROR_INIT;

	/* A session that was lost has given it back. */
	if (is_alone && phase->conns[side] != NULL &&
			PQstatus(phase->conns[side]) == CONNECTION_OK) {
		bm_phase_do(phase, side, "SELECT pg_catalog.pg_advisory_unlock(1651860321, 4)",
				0, NULL, &ignored);
	}
}
