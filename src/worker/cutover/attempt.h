/*
 * attempt - one attempt to make the sides change places, as the steps of it see it
 *
 * "from" is the live side that is left, "to" the one that becomes live. All waits of the freeze
 * end with the budget; `freeze` is the session whose transaction holds the locks.
 */
#ifndef WORKER_CUTOVER_ATTEMPT_H
#define WORKER_CUTOVER_ATTEMPT_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "worker/session/sides.h"

struct json_t;
struct bm_apply;
struct bm_flip;

struct bm_cutover_table {
	char *name; /* quoted and qualified */
	char *oid;
	bool is_fed; /* a logical subscription writes to it: only triggers for rows fire then */
	unsigned held; /* the fewest tables that a writer held together with it; 0 not seen */
};

struct bm_cutover {
	struct bm_phase *phase;
	const struct bm_cutover_request *request;
	enum bm_side from, to;

	PGconn *freeze; /* with `from`: the transaction that is committed or rolled back */
	PGconn *carry;	/* with `to`: the applier's */
	PGconn *hold;	/* with the destination: nobody else relies on which side is live */
	struct bm_apply *apply;
	struct bm_flip *flip; /* the hooks; NULL: there are none */

	size_t table_count;
	struct bm_cutover_table *tables;
	struct json_t *prints; /* of those that are captured: names and what ALTER TABLE changes
				*/
	int64_t serial;	       /* of the fence of `from` that this attempt raises */
	int64_t turn;	       /* how often the sides have changed places before */

	uint64_t began_msec;	 /* the lock was requested; 0: not yet */
	uint64_t held_msec;	 /* writers were held up by attempts that failed */
	uint64_t committed_msec; /* of no return; 0: not yet */
	uint64_t opened_msec;	 /* `to` is open */
	uint64_t flipped_msec; /* clients of poolers go on there; 0: there are none, or not yet
				*/
	bool has_objects;      /* large ones, which are not accepted as they are */
	bool is_not_ready;
	bool is_pause_stuck;  /* clients of a PgBouncer do not end their transactions */
	bool has_begun_hooks; /* those before the freeze */
	bool is_quiet;	      /* the syncs were deactivated */
	bool is_committed;    /* known */
	bool is_unknown;      /* whether it is */

	const char *step; /* its name */
	char detail[400]; /* of the step: what there is to tell */
	struct json_t *steps;
};

/* Schema of ours on a side: bucardo on the source, bucardo_machine on the destination. */
const char *bm_cutover_schema(enum bm_side side);

/* A session of its own with a side, in replica role where our role may. */
PGconn *bm_cutover_connect(struct bm_cutover *c, enum bm_side side, struct bm_error *err);

/* ---- the budget (budget.c) ---- */

/* What is left of it; all of it before the lock was requested. */
uint64_t bm_budget_left(const struct bm_cutover *c);

/* Between the lock's request and the point of no return. */
bool bm_budget_holds(const struct bm_cutover *c);

/* Fails with BM_ERR_TIMEOUT when it is used up. */
int bm_budget_check(const struct bm_cutover *c, struct bm_error *err);

/* One statement that ends with the budget. */
PGresult *bm_budget_ask(struct bm_cutover *c, PGconn *conn, const char *sql, int count,
		const char *const *params, struct bm_error *err);
int bm_budget_do(struct bm_cutover *c, PGconn *conn, const char *sql, int count,
		const char *const *params, struct bm_error *err);

/* Several statements without parameters. */
int bm_budget_script(struct bm_cutover *c, PGconn *conn, const char *sql, struct bm_error *err);

/* In the transaction of the freeze: the server lets go by itself with the budget, or a second
 * later when nobody is there any more. */
int bm_budget_tell(struct bm_cutover *c, struct bm_error *err);

/* ---- steps, in their order ---- */

int bm_cutover_look(struct bm_cutover *c, struct bm_error *err);    /* sides.c */
int bm_cutover_arm(struct bm_cutover *c, struct bm_error *err);	    /* barrier.c */
int bm_cutover_quiet(struct bm_cutover *c, struct bm_error *err);   /* quiet.c */
int bm_cutover_carry(struct bm_cutover *c, struct bm_error *err);   /* drain.c */
int bm_cutover_verify(struct bm_cutover *c, struct bm_error *err);  /* stale.c */
int bm_cutover_hold(struct bm_cutover *c, struct bm_error *err);    /* sides.c */
int bm_cutover_lock(struct bm_cutover *c, struct bm_error *err);    /* lock.c */
int bm_cutover_drain(struct bm_cutover *c, struct bm_error *err);   /* drain.c */
int bm_cutover_keyless(struct bm_cutover *c, struct bm_error *err); /* keyless.c */
/* large_objects.c: at leisure, in the freeze, and what slipped through until the commit. */
int bm_cutover_objects(struct bm_cutover *c, struct bm_error *err);
int bm_cutover_objects_frozen(struct bm_cutover *c, struct bm_error *err);
int bm_cutover_objects_late(struct bm_cutover *c, struct bm_error *err);
int bm_cutover_prove(struct bm_cutover *c, struct bm_error *err);  /* drain.c */
int bm_cutover_lead(struct bm_cutover *c, struct bm_error *err);   /* sides.c: sequences */
int bm_cutover_fence(struct bm_cutover *c, struct bm_error *err);  /* barrier.c */
int bm_cutover_commit(struct bm_cutover *c, struct bm_error *err); /* record.c */
int bm_cutover_open(struct bm_cutover *c, struct bm_error *err);   /* sides.c */
int bm_cutover_wake(struct bm_cutover *c, struct bm_error *err);   /* quiet.c */
int bm_cutover_seen(struct bm_cutover *c, struct bm_error *err);   /* quiet.c */

/* 1: a TRUNCATE of `from` waits, and is the detail; 0: none, -1 with `err` (quiet.c). */
int bm_cutover_truncate_waits(struct bm_cutover *c, struct bm_error *err);

/* Mode way_back, of direction forward: the sides are captured as with direction both, and
 * Bucardo takes them so. What is there already stays (quiet.c). */
int bm_cutover_way_back(struct bm_cutover *c, struct bm_error *err);
/* One that was broken off: Bucardo goes one way again, as the migration is declared. */
int bm_cutover_drop_way_back(struct bm_cutover *c, struct bm_error *err);

/* ---- hooks (hooks.c) ---- */

/* NULL when there are none. */
struct bm_flip *bm_cutover_hooks_create(struct bm_phase *phase, struct bm_cutover *c);
int bm_cutover_hooks_before(struct bm_cutover *c, struct bm_error *err);
/* Clients of PgBouncers wait: the freeze begins with it. With -1 they go on. */
int bm_cutover_hooks_pause(struct bm_cutover *c, struct bm_error *err);
/* Who has kept it from that: the processes of a failed pause, "1, 2"; "" nobody. */
const char *bm_cutover_hooks_busy(const struct bm_cutover *c);
void bm_cutover_hooks_resume(struct bm_cutover *c);
/* At its end, however that was. */
void bm_cutover_hooks_settle(struct bm_cutover *c);
/* Of an attempt that was rolled back. */
void bm_cutover_hooks_abort(struct bm_cutover *c);
/* After the commit, once: what fails is told, and left to the next. */
int bm_cutover_hooks_switch(struct bm_cutover *c, struct bm_error *err);
/* Those that are left, again and again for a while. */
int bm_cutover_hooks_finish(struct bm_cutover *c, struct bm_error *err);

/* ---- besides ---- */

/* The tables of `from` that applications may write to (tables.c). */
int bm_cutover_read_tables(struct bm_cutover *c, struct bm_error *err);
/* Fails when one of them is not captured yet, and nothing else carries it (tables.c). */
int bm_cutover_check_new(struct bm_cutover *c, struct bm_error *err);
/* Fails when there is one that was not there when they were read; afterwards: tells of those
 * with rows (tables.c). */
int bm_cutover_refuse_late(struct bm_cutover *c, struct bm_error *err);
int bm_cutover_tell_late(struct bm_cutover *c, struct bm_error *err);
/* Fails when one changed behind its triggers; and, once they are locked, since then (tables.c).
 */
int bm_cutover_check_captured(struct bm_cutover *c, struct bm_error *err);
int bm_cutover_check_prints(struct bm_cutover *c, struct bm_error *err);
/* In which order writers take them is looked at for a moment. */
int bm_cutover_order_tables(struct bm_cutover *c, struct bm_error *err);
/* The applier with its sessions `freeze` and `carry` (drain.c). */
int bm_cutover_begin_applier(struct bm_cutover *c, struct bm_error *err);
/* Passes until little waits; and away with the keys that were applied (drain.c). */
int bm_cutover_carry_all(struct bm_cutover *c, struct bm_error *err);
int bm_cutover_purge(struct bm_cutover *c, struct bm_error *err);
/* A last pass just before the lock (drain.c). */
int bm_cutover_carry_once(struct bm_cutover *c, struct bm_error *err);
/* In the freeze's transaction nothing may wait any more that the other side does not have. */
int bm_cutover_check_drained(struct bm_cutover *c, struct bm_error *err);
void bm_cutover_forget_tables(struct bm_cutover *c);
/* Sessions `freeze` and `carry`, unless they are there (drain.c). */
int bm_cutover_connect_both(struct bm_cutover *c, struct bm_error *err);
/* Sets has_objects (large_objects.c). */
int bm_cutover_find_objects(struct bm_cutover *c, struct bm_error *err);
/* Large objects that were written since, just before the lock; and, at the end of it all,
 * whether somebody has written some of the side that was left (large_objects.c). */
int bm_cutover_objects_once(struct bm_cutover *c, struct bm_error *err);
void bm_cutover_objects_watch(struct bm_cutover *c);

/* The row of this attempt on `from` (record.c): written before the freeze, and as "fenced" in
 * its transaction. */
int bm_record_begin(struct bm_cutover *c, struct bm_error *err);
int bm_record_fence(struct bm_cutover *c, struct bm_error *err);

/* Which hooks after the commit are done, in the row: a line of text for each. */
PGresult *bm_record_hooks(struct bm_cutover *c, struct bm_error *err);
int bm_record_hook_done(struct bm_cutover *c, const char *name, struct bm_error *err);

/* A new session for the freeze, once no other one of an attempt is under way on `from`; and
 * whether this attempt was committed there. */
int bm_record_resolve(struct bm_cutover *c, bool *is_committed, struct bm_error *err);

/* An advisory lock of BM_FENCE_LOCKS, for the session. `to_end`: a session of an attempt whose
 * worker is gone is ended when it keeps it. */
int bm_cutover_take_lock(struct bm_cutover *c, PGconn *conn, const char *key,
		uint64_t limit_msec, bool to_end, struct bm_error *err);

/* Whether `to` is open already, and how often the sides have changed places. */
int bm_cutover_is_open(struct bm_cutover *c, bool *is_open, struct bm_error *err);

/* The key, beside BM_FENCE_LOCKS, of the advisory lock of a freeze's transaction. */
#define BM_CUTOVER_LOCK_FREEZE "3"

/* The function of the fence's triggers refuses nobody: nothing came of the attempt. */
void bm_cutover_disarm(struct bm_cutover *c);

/* Triggers of the fence of a side that is open again: switched off where that can be had. */
void bm_cutover_rest(struct bm_cutover *c, enum bm_side side);

#endif
