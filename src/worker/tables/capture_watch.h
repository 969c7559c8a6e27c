/*
 * capture_watch - whether tables are captured still, as it was written down
 *
 * A table that was dropped and made again, another one that took its name, triggers that were
 * switched off (and on again, perhaps between two looks), dropped or replaced: changes went
 * unseen. Such a table is captured again, and then all its rows are sent again, with the keys
 * that only the follower has (resend.h). It is told as a finding until that is done.
 */
#ifndef WORKER_TABLES_CAPTURE_WATCH_H
#define WORKER_TABLES_CAPTURE_WATCH_H

#include "worker/tables/table_check.h"

/* What an older machine wrote into Bucardo's tables lets sessions of a tree that a person
 * starts pass for an application's: it is brought up to date, before triggers fire always. */
int bm_capture_watch_prepare(struct bm_pass *pass, struct bm_error *err);

/*
 * Look at the captured tables of both sides, for the syncs in column 0 of `syncs`. Tables that
 * cannot be captured now are in `check->uncaptured`, and told.
 */
int bm_capture_watch(struct bm_table_check *check, const PGresult *syncs, struct bm_error *err);

/* Do the resends that were requested, of the tables in `check->running`; those whose rows are
 * sent again because changes went unseen are told first. */
int bm_capture_watch_resend(struct bm_table_check *check, struct bm_error *err);

#endif
