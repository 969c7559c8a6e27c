/*
 * resend - rows that changed without a trigger having seen it are sent again
 *
 * Their keys are written into the delta table, so that Bucardo carries them as if they had
 * just changed. What is owed is a row of bucardo.machine_touches until it is done: a
 * worker that is killed goes on where it stopped.
 */
#ifndef WORKER_RESEND_H
#define WORKER_RESEND_H

#include "worker/tend.h"

struct json_t;

/* Make what it needs at both ends; harmless to repeat. */
int bm_resend_prepare(struct bm_tend *tend, struct bm_error *err);

/*
 * Rows of the source that changed without a trigger having seen it are sent again:
 * bm_touch_owe() notes it, bm_touch_pay() does it for the tables in `running`, names of
 * tables that are captured and not paused: for about ten seconds; what is left then, a
 * later call goes on with.
 */
int bm_touch_owe(struct bm_tend *tend, const char *table, struct bm_error *err);
int bm_touch_pay(struct bm_tend *tend, const struct json_t *running, struct bm_error *err);

#endif
