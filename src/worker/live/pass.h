/*
 * pass - `worker reconcile`: what a declared migration needs for as long as it replicates
 *
 * Started when the indexes are built, ended with the process. It only ever does what
 * is missing, so that it may be killed at any moment; it waits for nobody's lock.
 *
 * Threads: the first one, as in `worker phase`.
 */
#ifndef WORKER_LIVE_PASS_H
#define WORKER_LIVE_PASS_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/session/sides.h"

struct json_t;

/* The role `worker reconcile`; the exit code. */
int bm_reconcile_run(void);

/* The role `worker verify`, beside it (worker/reconcile/verify_passes.c); the exit code. */
int bm_verify_worker_run(void);

/* What is found is told as a member of the evidence; news also as notes. */
struct bm_pass {
	struct bm_phase *phase;
	enum bm_side live; /* the side applications write to: worker/live/live.h */
	char epoch[160];   /* names the time since the sides changed places last */
	bool has_fence;	   /* the destination has one, lifted or not */
	bool has_turned;   /* the sides have changed places before */
	int64_t turn;	   /* how often */
	bool is_prepared[BM_SIDE_COUNT]; /* what transferring sequences to or from it takes is
					  * there
					  */
	bool are_transferred;		 /* the sequences, in this pass */
	char taken_over[160];	 /* the epoch in which sequences were, with direction forward */
	const PGconn *announced; /* the session that says that this worker lives */
	struct json_t *left;	 /* what the live side has that is not applied back */
	uint64_t left_at_msec;	 /* when to look for it again */
	struct json_t *reported; /* names of what a note was printed about */
	struct json_t *seen; /* table -> fingerprint, of the source's last check; NULL none */
	struct json_t *ignored;	  /* table -> fingerprint, of those that are not for us */
	struct json_t *keyless;	  /* table -> what is wrong with its key */
	struct json_t *drifted;	  /* texts of what differed in it; NULL none */
	uint64_t check_at_msec;	  /* the next check of the tables */
	char *failed;		  /* which runs had failed at the last check; NULL none yet */
	uint64_t kept_at_msec;	  /* the next look for changes that are kept */
	bool was_stopped;	  /* and is not to be, see identity.h */
	struct json_t *counted;	  /* tables that were paused at the last count; NULL none yet */
	uint64_t paths_at_msec;	  /* when to look next which tables need a search_path */
	uint64_t largest_at_msec; /* when to ask next how large the largest tables are */
	uint64_t count_at_msec;	  /* the next count of what is not kept in step */
	uint64_t foreign_at_msec,
			foreign_wait_msec; /* the next look at foreign keys, see there */
	struct json_t *stuck;  /* part -> what keeps it from being done, and since when */
	unsigned touch_blocks; /* of a table to be sent again, at once; 0 not known yet */
};

/* Print a note about `what`, once. */
void bm_pass_note(struct bm_pass *pass, const char *what, const char *text);

/* Forget it, so that it is news when it comes again; true when it had been printed. */
bool bm_pass_forget(struct bm_pass *pass, const char *what);

/*
 * A part of the passes could not be done, and could again. What lasts for half a minute is put
 * into the evidence as `stuck` by bm_pass_report_stuck(), and makes the machine not ready.
 * bm_pass_held_up(): because somebody holds the lock by which the sides change places.
 */
void bm_pass_problem(struct bm_pass *pass, const char *part, const char *text);
void bm_pass_solved(struct bm_pass *pass, const char *part);
#define BM_PASS_HELD_UP "the lock of the sides"
void bm_pass_held_up(struct bm_pass *pass);
/* Whether somebody keeps deltas from being purged; -1 with `err`. */
int bm_pass_look_at_purge(struct bm_pass *pass, struct bm_error *err);
void bm_pass_report_stuck(struct bm_pass *pass);

/* The side that is kept equal to the live one. */
static inline enum bm_side bm_pass_follower(const struct bm_pass *pass)
{
	return pass->live == BM_SIDE_SOURCE ? BM_SIDE_DESTINATION : BM_SIDE_SOURCE;
}

/* Whether the follower gets anything: with direction forward the source never does. */
static inline bool bm_pass_applies(const struct bm_pass *pass)
{
	return pass->live == BM_SIDE_SOURCE || pass->phase->request.is_both;
}

/* ---- the parts ---- */

/* Transfer the sequences once; sets member "sequences". */
int bm_reconcile_sequences(struct bm_pass *pass, struct bm_error *err);

/* Compare the tables when it is time; sets members "tables", "drift", "paused",
 * "new". */
int bm_reconcile_tables(struct bm_pass *pass, struct bm_error *err);

#endif
