/*
 * capture_triggers - the triggers of captured tables, and the functions that they call
 *
 * They are made here, with Bucardo's names, before Bucardo looks: its validate_sync() takes
 * what it finds, and would make others. Ours depend on no search_path, since they run with the
 * rights of their owner for every role that writes; they fire in replica role too, but not
 * in sessions that apply a migration (sessions.h); keys are compared by their bytes. What a
 * table was captured with is written down, in bucardo.machine_captured: capture_watch.h.
 */
#ifndef WORKER_DELTAS_CAPTURE_TRIGGERS_H
#define WORKER_DELTAS_CAPTURE_TRIGGERS_H

#include <libpq-fe.h>
#include <stdint.h>

#include "worker/session/sides.h"

/* A table that a crash empties, as it does all that is unlogged; its row has another stamp
 * then. */
#define BM_CAPTURE_UNLOGGED_SQL                                                                \
	"CREATE UNLOGGED TABLE IF NOT EXISTS bucardo.machine_unlogged"                         \
	" (id boolean PRIMARY KEY DEFAULT true,"                                               \
	" stamp text NOT NULL DEFAULT md5(clock_timestamp()::text || random()::text))"

/* Make the tables and functions it takes at one side; harmless to repeat. */
int bm_capture_triggers_prepare(
		struct bm_phase *phase, enum bm_side side, struct bm_error *err);

/*
 * Put what is missing on `tables`, a JSON list of {schema, name}, in one transaction; fails
 * with sqlstate 55P03 when a lock was not to be had within half a second. `gap`: why rows may
 * have changed unseen, then all are sent again; "" they did not; NULL nobody has looked:
 * what was written down of an earlier capture stays, and the watch compares it.
 */
int bm_capture_triggers_make(struct bm_phase *phase, enum bm_side side, const char *sync,
		const char *tables, const char *gap, struct bm_error *err);

/*
 * The same on a destination whose rows are still to be copied: behind the fence the triggers
 * for rows do not fire in replica role, so that the copy pays nothing for them, until
 * bm_capture_wake().
 */
int bm_capture_triggers_make_quiet(struct bm_phase *phase, enum bm_side side, const char *sync,
		const char *tables, struct bm_error *err);

/*
 * Functions that Bucardo made there, for syncs that a person added too, get a body that
 * depends on no search_path, or a path of their own. One cheap statement where there are
 * none. What the role has no right to is left. In a transaction of its own.
 */
int bm_capture_pin(PGconn *conn, uint64_t limit_msec, struct bm_error *err);

#endif
