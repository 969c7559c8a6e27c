/*
 * emptied - tables of a follower that a crash of its server emptied
 *
 * A crash empties unlogged tables. Where the follower is captured, capture_watch.h sees it;
 * with direction forward it is not, and rows would be missing there though nothing waits. All
 * rows of such tables are sent again (resend.h).
 */
#ifndef WORKER_TABLES_EMPTIED_H
#define WORKER_TABLES_EMPTIED_H

#include "worker/tables/table_check.h"

/* Make what it needs at the destination; harmless to repeat. Nothing for direction both. */
int bm_emptied_prepare(struct bm_pass *pass, struct bm_error *err);

/* Request a resend of those tables in `check->captured` that a crash emptied. */
int bm_emptied_request(struct bm_table_check *check, struct bm_error *err);

#endif
