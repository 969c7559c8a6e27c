/*
 * moments - is all that was copied of one moment of the source?
 *
 * A run that was interrupted, or whose snapshot was lost, goes on from a newer snapshot.
 * What was copied from an older one still holds where nothing changed in between. So each
 * chunk keeps its moment in the ledger, and in the end those of older moments are looked
 * at from the newest snapshot:
 *
 *     xmin of a row    not older than the older snapshot's: it was written since, or at the
 *                      same time (a subtransaction is not in the snapshot's list)
 *     count of rows    with no row written since, fewer rows than were copied are deletes
 *     pg_class         a newer row: truncated, rewritten, altered, made anew
 *
 * A chunk that stands all of this is of the newest moment too. A table with one that does
 * not is emptied, and copied again. When in doubt, it has changed.
 */
#ifndef WORKER_TRANSFER_MOMENTS_H
#define WORKER_TRANSFER_MOMENTS_H

#include "worker/transfer/pool.h"

/* Which snapshot of the source this is, as a text: its timeline and its transactions. The
 * session has just begun its transaction. NULL with `err`; free() it. */
char *bm_moment_read(PGconn *source, unsigned timeline, struct bm_error *err);

/* 0 where the server does not say. Outside of a transaction. */
unsigned bm_moment_timeline(PGconn *source);

/*
 * Can a row's xmin tell what changed from `older` to `newer`? Then the answer is the xid,
 * modulo 2^32, from which on rows are too new; else 0. Pure.
 */
uint64_t bm_moment_limit(const char *older, const char *newer);

/*
 * Rows of these tables were just read in the thread's snapshot. A table that was truncated
 * or rewritten since the snapshot was taken looks empty in it: that is an error which may
 * pass, and the snapshot is used no more.
 */
int bm_moments_still(struct bm_pool_thread *thread, const struct bm_table *const *tables,
		size_t count, struct bm_error *err);

/* Add a name to a list for people, which holds the first of them. */
void bm_moments_name(struct bm_strbuf *names, unsigned *count, const char *name);

/* Has the table a chunk? */
bool bm_moments_is_planned(const struct bm_ledger *ledger, const char *table);

/* definitions.c: the tables that are there now are those of the first run, and as it made them.
 */
int bm_moments_definitions(struct bm_transfer *t, struct bm_error *err);

/* All chunks are done: are they of one moment, as far as is known? */
bool bm_moments_agree(const struct bm_transfer *t);

/*
 * Look at the chunks of older moments. Those that still hold get the newest one, those of
 * changed tables are to be copied again.
 */
int bm_moments_check(struct bm_transfer *t, struct bm_error *err);

/* They do not agree, and it was tried often enough: an error (MOMENTS), or a note. */
int bm_moments_refuse(struct bm_transfer *t, struct bm_error *err);

#endif
