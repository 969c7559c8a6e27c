/*
 * activity_names - what is under way, as a person can read it
 *
 * Names, weights and how far a table is, from the ledger; how far the build of an
 * index is, from the server that builds it.
 */
#ifndef WORKER_TRANSFER_ACTIVITY_NAMES_H
#define WORKER_TRANSFER_ACTIVITY_NAMES_H

#include "worker/transfer/pool.h"

/* About how many rows it has, by its share of the table; 0: not known. */
uint64_t bm_chunk_rows(const struct bm_transfer *t, const struct bm_chunk *chunk);

/* Begin the activity of chunks, or of objects, that are one transaction. At least one. */
struct bm_active *bm_activity_of_chunks(
		struct bm_transfer *t, struct bm_chunk *const *chunks, size_t count);
struct bm_active *bm_activity_of_objects(struct bm_pool_thread *thread,
		struct bm_post_object *const *objects, size_t count);

/* Ask the destination how far its builds are; at most once a second. Main thread. */
void bm_watch_builds(struct bm_transfer *t);

#endif
