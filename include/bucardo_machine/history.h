/*
 * history - what the status said over time, kept in the control database
 *
 * A ring in table machine.history: a row each 10 s for a day, each 5 minutes for 60 days, for
 * the machine and each migration. Each row has its place, which the next time round takes, so
 * the table is bounded without being cleaned. It survives the pod, as the journal does, and has
 * a version of its own: one of a later version is left alone.
 *
 * The session goes through the control cluster's socket; it is made when it is needed, and made
 * again after each failure. Each call blocks, for ten seconds at most. What is wrong now may be
 * well the next time: the caller keeps its rows and tries again.
 *
 * Threads: one at a time.
 */
#ifndef BUCARDO_MACHINE_HISTORY_H
#define BUCARDO_MACHINE_HISTORY_H

#include <stdint.h>

#include "bucardo_machine/error.h"

struct json_t;
struct bm_history;

/* Most rows of an answer. */
#define BM_HISTORY_ROWS 2000
#define BM_HISTORY_STEP_SEC 10

/* `socket_dir` is copied; nothing is connected to yet. */
struct bm_history *bm_history_create(const char *socket_dir);

/* Close the session until the next call. One that is open costs the pod some megabytes, and a
 * line in PostgreSQL's log when that stops. */
void bm_history_rest(struct bm_history *history);

/*
 * Write rows of 10 s, an array: {"migration": "" for the machine, "at": seconds since the
 * epoch, "number": which of two of one place counts, and as they are known "lag" (s),
 * "backlog", "applied", "copied" (bytes), "verified" (percent), "differences", "load",
 * "phase", "predicted_end" (s since the epoch)}. `now`: seconds since the epoch. With
 * sqlstate 22... in `err` it is a row that is wrong, and will be the next time too.
 */
int bm_history_write(struct bm_history *history, const struct json_t *rows, int64_t now,
		struct bm_error *err);

/*
 * The page of docs/http.md as a text (free()), of a migration or "" for the machine. NULL
 * with `err`: BM_ERR_CONFIG when nothing was ever kept of it.
 */
char *bm_history_read(struct bm_history *history, const char *migration, int64_t from,
		int64_t to, int64_t now, struct bm_error *err);

/*
 * Ended attempts of cut-overs, from the events and kept for longer than those, as JSON
 * (free()):
 * {"attempts": [{"migration", "direction", "mode", "result", "step", "count"}], "freezes":
 * [{"migration", "direction", "count", "sum" (s), "buckets": [[le, count]]}]}. NULL with `err`.
 */
char *bm_history_attempts(struct bm_history *history, struct bm_error *err);

#endif
