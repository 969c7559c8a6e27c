/*
 * resend - rows that changed without a trigger having seen it are sent again
 *
 * Their keys are written into the delta table of the live side, so that Bucardo applies them as
 * if they had just changed. Where rows may also have been deleted unseen, the keys that only
 * the follower has go the same way: they are read there in portions, so that the worker never
 * holds more than one. A request is a row of bucardo.machine_touches of the live side
 * until it is done: a worker that is killed goes on where it stopped.
 */
#ifndef WORKER_TABLES_RESEND_H
#define WORKER_TABLES_RESEND_H

#include "worker/live/pass.h"

struct json_t;

/* Make what it needs at both sides; harmless to repeat. */
int bm_resend_prepare(struct bm_pass *pass, struct bm_error *err);

/* The table alone, where schema bucardo is: phase capture requests resends already. */
int bm_resend_make_table(struct bm_phase *phase, enum bm_side side, struct bm_error *err);

/*
 * Rows of the live side that changed without a trigger having seen it are sent again:
 * bm_resend_request_rows() notes it, bm_resend_run() does it for the tables in `running`, names
 * of tables that are captured and not paused: for about ten seconds; what is left then, a later
 * call goes on with. Nothing is requested where nothing is applied: with one direction, once
 * the destination is live.
 */
int bm_resend_request_rows(struct bm_pass *pass, const char *table, struct bm_error *err);
int bm_resend_run(struct bm_pass *pass, const struct json_t *running, struct bm_error *err);

/* The same, from the beginning, and with the keys that only the follower has; `why` is told
 * until it is done. */
int bm_resend_request(
		struct bm_pass *pass, const char *table, const char *why, struct bm_error *err);

/* Tables that are sent again once they are fixed: bm_resend_record_later() puts those into
 * `later` that a comparison has flagged so (bm_compare_flag()), bm_resend_hold() requests them;
 * they are due when a call does not name them any more. */
void bm_resend_record_later(
		struct json_t *later, const char *table, const struct json_t *drift);
int bm_resend_hold(struct bm_pass *pass, const struct json_t *later, struct bm_error *err);

/* Names of the tables that are requested with a reason, and that; NULL with `err`. */
PGresult *bm_resend_unseen(struct bm_pass *pass, struct bm_error *err);

#endif
