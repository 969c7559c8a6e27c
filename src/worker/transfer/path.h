/*
 * path - the search_path that the source's applications have, where it may be used
 *
 * All our sessions find names in pg_catalog alone (base/libpq/sessions.c). Functions of an
 * application may find what they need only through its own path, and IS DISTINCT FROM, NULLIF,
 * CASE and JOIN USING cannot name an operator's schema. What fails for such a reason is tried
 * once more with the path that the source has, and only if nobody can put a function into one
 * of its schemas on the destination who could not have code of his run with our rights anyway
 * (safe_path.sql). Threads: any.
 */
#ifndef WORKER_TRANSFER_PATH_H
#define WORKER_TRANSFER_PATH_H

#include "worker/dump/entries.h"
#include "worker/transfer/internal.h"

/* The path that all sessions have, for the way back from another one. */
#define BM_PATH_BACK_SQL "SET LOCAL search_path = pg_catalog, pg_temp"

/* Something is missing that may be there under another path, or later. */
bool bm_path_may_help(const struct bm_error *err);

/*
 * The path for work on `relation` (quoted and qualified; "" for none) in a session of the
 * destination, as SET takes it; free(). NULL: there is none that is safe, and `why` says so.
 */
char *bm_path_find(struct bm_transfer *t, PGconn *destination, const char *relation,
		struct bm_error *why);

/* Add to the failure `err` why no path was tried; a source that is unreachable is no reason to
 * tell.
 */
void bm_path_refused(struct bm_error *err, const struct bm_error *why);

/* It had to be made without the path that it needs: its operators may be others. Tell (main
 * thread). */
void bm_path_other(struct bm_transfer *t, const char *type, const char *name,
		const struct bm_error *why);

/* `sql` between two statements that set the path and take it back; inside a transaction. */
char *bm_path_wrap(const char *path, const char *sql);

/* Mark the entries that have to be made with the path: without, they would mean another thing.
 */
int bm_path_flag(struct bm_transfer *t, struct bm_entries *before, struct bm_entries *after,
		struct bm_error *err);

/* Remember what was made with a path (NULL: it is not said which), and tell all of it at the
 * end of a phase (main thread). */
void bm_path_record(struct bm_transfer *t, const char *path, const char *name);
void bm_path_report(struct bm_transfer *t);

#endif
