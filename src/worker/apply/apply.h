/*
 * apply - the changes that wait on one captured side, carried to the other in one pass
 *
 * What a KID of Bucardo does, without a KID: of each table the keys that wait on `from` are
 * read, their rows are deleted on `to`, the rows as they are now on `from` are copied there,
 * and what was read is marked as done in the track tables of `from`. All deletes come before
 * all copies, so a unique value may go from one row to another. Everything that depends on the
 * catalogs is read and prepared by bm_apply_create(); a pass asks all tables in one round trip
 * and touches only those in which something waits.
 *
 * The sync must be quiet: no KID may run it meanwhile.
 *
 * Refused with an error that names the table, and nothing is carried: a TRUNCATE that waits
 * (a run of Bucardo has to do it), changes of a paused table, a table whose definition is not
 * the same on both sides, or has changed since bm_apply_create(). Deferred keys
 * (deltas/batch_limit.h) are brought back and carried; marks that belong to several
 * transactions are requeued first (deltas/delta_repair.h). Tables of which all rows are to be
 * sent again (machine_touches) have keys that are written down later: who needs to know that
 * nothing is left asks for them.
 *
 * Threads: one at a time.
 */
#ifndef WORKER_APPLY_APPLY_H
#define WORKER_APPLY_APPLY_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "worker/session/sides.h"

struct bm_apply;

struct bm_apply_result {
	uint64_t keys;	  /* that waited, each once a table */
	uint64_t rows;	  /* copied: a key without one was deleted on `from` */
	uint64_t deleted; /* on `to` */
	uint64_t msec;
	unsigned tables; /* in which something waited */
};

/*
 * Reads the catalogs and prepares statements; takes a second where there are a thousand
 * tables. Both sessions are the caller's and stay his; neither may be in a transaction now.
 * `to` is in replica role with bucardo_machine.applying on, as bm_phase_conn() makes it.
 * Waits 3 s for a table that somebody has for himself alone; lock_timeout and statement_timeout
 * of both sessions are 0 afterwards. Create it anew when a session was made anew. NULL with
 * `err`.
 */
struct bm_apply *bm_apply_create(PGconn *from, PGconn *to, const char *migration,
		enum bm_side from_side, struct bm_error *err);

/*
 * Read what the control database knows of these tables, after bm_apply_create(): those that can
 * be read and written only with a search_path (reconcile/table_paths.h) get it for their
 * statements; those of which a person chose what is applied (Bucardo's customcols and
 * customname) are refused as above. Harmless to repeat.
 */
int bm_apply_read_control(struct bm_apply *apply, PGconn *control, struct bm_error *err);

/*
 * One pass. `to` is written in a transaction of its own, which is committed; after that the
 * marks are part of the transaction that the caller has open on `from`, or committed when he
 * has none (then the pass reads in one of isolation level REPEATABLE READ). If the caller
 * rolls back, or is killed anywhere, the keys still wait, and carrying them again changes
 * nothing. A transaction of the caller's goes back to where it was when a pass fails.
 *
 * `limit_msec` bounds all of it: locks that are not to be had, slow statements, and a silent
 * network. On failure a session whose state is unknown is cut off: PQstatus() says
 * CONNECTION_BAD, and the server rolls its transaction back. `result` may be NULL.
 */
int bm_apply_pass(struct bm_apply *apply, uint64_t limit_msec, struct bm_apply_result *result,
		struct bm_error *err);

/*
 * Which tables have changes that wait, by the same one round trip; nothing is carried. `*names`
 * (free()) becomes NULL when none has, else up to five of them. It sees what was committed, and
 * what the transaction that the caller has open on `from` did.
 */
int bm_apply_waiting(struct bm_apply *apply, uint64_t limit_msec, char **names,
		struct bm_error *err);

/*
 * Whether the rows of the keys that were carried since the last bm_apply_forget() are the same
 * on both sides, compared by hashes (verify/digest.h), one round trip a side. For use where
 * nobody writes. `*difference` becomes NULL when they are, else a text (free()) that names the
 * first tables and keys. -1 with `err`: it could not be compared.
 */
int bm_apply_compare(struct bm_apply *apply, uint64_t limit_msec, char **difference,
		struct bm_error *err);
void bm_apply_forget(struct bm_apply *apply);

/*
 * The same while others write: carried keys whose rows are the same on both sides are
 * forgotten. One that is written again later is captured, carried and remembered again, so
 * what bm_apply_compare() finds is the same, sooner. What differs now stays. Both sessions
 * outside of a transaction. -1 with `err`.
 */
int bm_apply_settle(struct bm_apply *apply, uint64_t limit_msec, struct bm_error *err);

void bm_apply_destroy(struct bm_apply *apply);

#endif
