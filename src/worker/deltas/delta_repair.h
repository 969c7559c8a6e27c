/*
 * delta_repair - what Bucardo needs around it so that it loses no row
 *
 * Bucardo marks a change as done by the txntime of its transaction, now(). A second
 * transaction with the same txntime that commits later counts as done too, and is
 * purged (bucardo#216). Against that, on every database whose changes a declared
 * migration captures, in schema `bucardo` (so that it goes away with it):
 *
 *     txntime delta tables are made before Bucardo does, with a default for it
 *             in which the transaction number takes part: a collision is rare
 *     requeue a txntime that is marked as done and belongs to several transactions gets
 *             a new value, so that its rows are pending again: harmless, because
 *             Bucardo copies the row as it is then
 *     purge   ours, in one snapshot with the requeueing, so that no row goes that was
 *             not applied by each target: of our syncs, and of syncs of somebody else
 *             on the same tables. Bucardo's own purge, which counts targets and marks,
 *             is kept away from these tables by a trigger on the list that it works from
 *
 * Threads: each caller with its own connection.
 */
#ifndef WORKER_DELTAS_DELTA_REPAIR_H
#define WORKER_DELTAS_DELTA_REPAIR_H

#include <libpq-fe.h>
#include <stdint.h>

#include "worker/session/sides.h"
#include "worker/deltas/batch_limit.h"

/*
 * Make the functions of one side and the delta tables for `tables`, a JSON list of
 * {schema, name, key_quoted}. Harmless to repeat; takes no lock on tables with rows
 * but that of a reader.
 */
int bm_delta_repair_prepare(struct bm_phase *phase, enum bm_side side, const char *tables,
		struct bm_error *err);

/* Bring a side that an older machine prepared up to date; nothing is made where none did. */
int bm_delta_repair_renew(struct bm_phase *phase, enum bm_side side, struct bm_error *err);

/* Name the sync whose deltas are repaired here; before its triggers are made. */
int bm_delta_repair_register(struct bm_phase *phase, enum bm_side side, const char *sync,
		const char *target, struct bm_error *err);

/* After tables were captured at one side: give what Bucardo made a replica identity
 * (identify.sql), and write down which tables they are (machine_know). */
int bm_delta_repair_identify(struct bm_phase *phase, enum bm_side side, struct bm_error *err);

/*
 * Requeue, and with `purge` also purge, the deltas of `sync` on `conn`; nothing is done
 * where the sync was not registered. Waits for nobody's lock: what is busy is left for
 * the next time. First it says there that `owner` is alive (identity.h). `limit` may be NULL:
 * not known. `*requeued`: rows that were, since the sync was registered. Within `limit_msec`.
 */
int bm_delta_repair_run(PGconn *conn, const char *sync, const char *owner, bool purge,
		const struct bm_batch_limit_state *limit, uint64_t limit_msec,
		int64_t *requeued, struct bm_error *err);

#endif
