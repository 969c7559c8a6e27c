/*
 * left - how long a phase will still take: what is there to do, and what it took so far
 *
 * The plan comes from the ledger (and, for the sizes of indexes, from the source's
 * catalog); threads say when they begin and end a piece; the main thread asks. The
 * arithmetic is in estimate.h.
 */
#ifndef WORKER_TRANSFER_LEFT_H
#define WORKER_TRANSFER_LEFT_H

#include "worker/rate/estimate.h"
#include "worker/transfer/activity.h"
#include "worker/transfer/ledger.h"

struct bm_transfer;
struct bm_pool_thread;

struct bm_left {
	struct bm_left_item *items; /* one a chunk or object of the ledger, in its order */
	size_t count, tables;
	bool copying; /* the items are chunks */
	struct bm_effort measured[BM_KIND_COUNT];
	struct bm_left_run *runs; /* a list: what the threads are at */
	uint64_t looked_msec;
	double reported_msec; /* below 0: not known */
};

/* The phase begins, or begins again with what got lost. Main thread, while the pool does not
 * run. */
void bm_left_plan_copy(struct bm_transfer *t);
void bm_left_plan_index(struct bm_transfer *t);
void bm_left_finish(struct bm_left *left);

/* What kind of object it is. */
int bm_left_kind(const struct bm_transfer *t, const struct bm_post_object *object);

/* A thread begins these, which are one transaction; its activity has begun. */
void bm_left_begin_chunks(
		struct bm_pool_thread *thread, struct bm_chunk *const *chunks, size_t count);
void bm_left_begin_objects(struct bm_pool_thread *thread, struct bm_post_object *const *objects,
		size_t count);

/* It is through with them, well or not; `lost`: they are to be done again. */
void bm_left_end(struct bm_pool_thread *thread, bool lost);

/* Milliseconds until the phase is done; -1 not known. Main thread. */
int64_t bm_left_msec(struct bm_transfer *t);

#endif
