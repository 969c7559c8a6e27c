/*
 * large_objects - the objects of lo_create(), which belong to no table
 *
 * They are chunks of the ledger like ranges of a table, by their OIDs, which stay the
 * same. Their pages go through a temporary table on the destination.
 */
#ifndef WORKER_TRANSFER_LARGE_OBJECTS_H
#define WORKER_TRANSFER_LARGE_OBJECTS_H

#include "worker/transfer/pool.h"

/* The name of such a chunk, where others have their table's. */
#define BM_LARGE_OBJECTS "large objects"

/* Add the chunks, when the source has any. */
int bm_plan_large_objects(struct bm_transfer *t, struct bm_error *err);

/* Copy one chunk inside the destination's transaction, which the caller commits. */
int bm_large_objects_copy(
		struct bm_pool_thread *thread, struct bm_chunk *chunk, struct bm_error *err);

/* What could not be kept of them besides their bytes. From the main thread. */
void bm_large_objects_report(struct bm_transfer *t);

/*
 * The statements of it, in their order, all in one transaction of the destination. begin: the
 * temporary tables, and the rules for roles in them; about and pages: COPY ... TO STDOUT on the
 * source for pg_temp.bm_about and, in binary, pg_temp.bm_page; put: makes the objects of
 * bm_about and writes the pages; finish: what belongs to them besides, and pg_temp.bm_told.
 */
void bm_large_objects_begin_sql(const struct bm_role_rules *rules, struct bm_strbuf *sql);
char *bm_large_objects_about_sql(const char *condition); /* free() */
char *bm_large_objects_pages_sql(const char *condition, bool may_read_pages);
extern const char bm_large_objects_put_sql[], bm_large_objects_finish_sql[];

#endif
