/*
 * batches - which chunks are copied together, and in which order
 *
 * The biggest first; small tables share a batch, which is one transaction. Tables whose rows
 * call functions come when all others are there, each chunk in a batch of its own.
 */
#ifndef WORKER_ROWS_BATCHES_H
#define WORKER_ROWS_BATCHES_H

#include "worker/transfer/internal.h"

struct bm_batch {
	struct bm_chunk **chunks;
	size_t count;
	bool taken;
	bool with_path; /* of the source, see path.h */
};

struct bm_batches {
	struct bm_transfer *transfer;
	unsigned wave;		 /* of the others; see waves.h */
	bool is_late;		 /* the tables whose rows call functions; else all others */
	struct bm_chunk **order; /* not yet done, biggest first */
	size_t count;
	struct bm_batch *batches;
	size_t batch_count;
};

/* Of what is not done, as `is_late` of `transfer` says. */
void bm_batches_make(struct bm_batches *batches);
void bm_batches_finish(struct bm_batches *batches);

/* One that nobody has, or NULL; any thread. */
struct bm_batch *bm_batches_take(struct bm_batches *batches);
void bm_batches_give_back(struct bm_batches *batches, struct bm_batch *batch);

bool bm_chunk_is_large_objects(const struct bm_chunk *chunk);

/* The table of a chunk, if its rows call functions; else NULL. */
struct bm_table *bm_batch_late_table(struct bm_transfer *t, const struct bm_chunk *chunk);

#endif
