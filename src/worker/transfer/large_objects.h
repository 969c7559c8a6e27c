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

#endif
