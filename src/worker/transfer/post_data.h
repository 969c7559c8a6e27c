/* post_data - the objects made after the data: what each locks, and in what order. */
#ifndef WORKER_TRANSFER_POST_DATA_H
#define WORKER_TRANSFER_POST_DATA_H

#include "worker/dump/entries.h"
#include "worker/transfer/internal.h"

/* How much of the whole it is: the bytes it reads, and a little for having to be made. */
uint64_t bm_post_object_weight(const struct bm_post_object *object);

/* The stage of a type of entry, as in the dump's header. Pure. */
enum bm_stage bm_post_data_stage(const char *type);

/* Objects of this stage are made at the same time; the others one by one, in their order. */
bool bm_post_data_run_together(enum bm_stage stage);

/*
 * The next of `objects` that may run now: of the lowest stage that is not finished, the
 * costliest whose tables none of `running` holds. NULL when none may; `*waiting` says
 * whether something is left to run. Pure.
 */
struct bm_running {
	unsigned wave; /* of those that are made before it; BM_AFTER_ROWS: all */
	const struct bm_post_object *list[64];
	size_t count;
};
struct bm_post_object *bm_post_data_next(struct bm_post_object *objects, size_t count,
		const struct bm_running *running, const bool *failed, bool *waiting);

/* Turn the dump's post-data section into objects of the ledger in memory. */
int bm_plan_post_data(
		struct bm_transfer *t, const struct bm_entries *entries, struct bm_error *err);

#endif
