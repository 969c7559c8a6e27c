/*
 * identity - whose migration it is, and whether both sides are still the ones it left
 *
 * In schema `bucardo` of both databases, in tables machine_*, stands for each migration:
 *
 *     owners  the machine that it belongs to (its control cluster's system identifier),
 *             and which database this is. A second machine with a migration of that
 *             name is refused; when the owner is gone a person says so (`accept NAME
 *             take-over`), and the old one, should it come back, finds that out
 *     beats   the number of the reconciler's pass, the same on both sides, and when the
 *             owner was heard of
 *     runs    for each sync the number of Bucardo's last run, written in the transactions
 *             of the run: with the rows on one side, with their marks on the other
 *
 * A side that was set back (restored from a backup, a replica promoted that had not got
 * everything) has older numbers than the other one. A run sees that before it applies
 * anything (daemon/bucardo/launch.pl); the reconciler stops the migration on both sides and
 * reports it, until a person says how to go on (`accept NAME resend` or `as-is`). A
 * failover that lost nothing has the same numbers, and goes on by itself.
 */
#ifndef WORKER_LIVE_IDENTITY_H
#define WORKER_LIVE_IDENTITY_H

#include <stdbool.h>

#include "worker/session/sides.h"
#include "worker/live/pass.h"

struct json_t;

/* An owner that was not heard of for so long is taken for dead: it speaks every 3 s. */
#define BM_IDENTITY_SILENCE_MSEC 60000

enum bm_identity_result {
	BM_IDENTITY_GOOD,
	BM_IDENTITY_NEW,      /* neither side knows the migration */
	BM_IDENTITY_FOREIGN,  /* another machine owns it */
	BM_IDENTITY_REPLACED, /* a side is not as it was left */
};

/*
 * What both sides remember (machine_state(), NULL: nothing) means for the machine `owner`.
 * `why` gets a sentence unless it is good or new. Pure.
 */
enum bm_identity_result bm_identity_evaluate(const struct json_t *source,
		const struct json_t *destination, const char *owner, struct bm_strbuf *why);

/* The name of this host, for people; static. */
const char *bm_identity_host(void);

/* The control cluster's system identifier; free it. NULL with `err`. */
char *bm_identity_owner(struct bm_phase *phase, struct bm_error *err);

/* What one side remembers; `*state` NULL: nothing. */
int bm_identity_read(struct bm_phase *phase, enum bm_side side, struct json_t **state,
		struct bm_error *err);

/* Make the tables and functions of one side; harmless to repeat. */
int bm_identity_prepare(struct bm_phase *phase, enum bm_side side, struct bm_error *err);

/* Register the migration and `sync` ("": none) on one side. BM_ERR_PRECONDITION and a hint
 * when it belongs to another machine. */
int bm_identity_register(struct bm_phase *phase, enum bm_side side, const char *sync,
		struct bm_error *err);

/* In phase capture, when both sides are registered: a destination that is new to the migration,
 * and will get a copy, takes the source's numbers. Refused when the sides contradict. */
int bm_identity_reconcile(struct bm_phase *phase, struct bm_error *err);

/* Give both sides the same numbers again. */
int bm_identity_accept(struct bm_phase *phase, struct bm_error *err);

/* In each pass of the reconciler, before anything else: 1 when the migration is stopped
 * (member "stopped" of the evidence says why), 0, -1. */
int bm_identity_check(struct bm_pass *pass, struct bm_error *err);

#endif
