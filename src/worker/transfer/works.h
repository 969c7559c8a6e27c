/* works - the objects made after the data: what each locks, and in what order. */
#ifndef WORKER_TRANSFER_WORKS_H
#define WORKER_TRANSFER_WORKS_H

#include "worker/dump/entries.h"
#include "worker/transfer/internal.h"

/* How much of the whole it is: the bytes it reads, and a little for having to be made. */
uint64_t bm_work_weight(const struct bm_work *work);

/* The stage of a type of entry, as in the dump's header. Pure. */
enum bm_stage bm_works_stage(const char *type);

/* Works of this stage run at the same time; the others one by one, in their order. */
bool bm_works_run_together(enum bm_stage stage);

/*
 * The next of `works` that may run now: of the lowest stage that is not finished, the
 * costliest whose tables none of `running` holds. NULL when none may; `*waiting` says
 * whether something is left to run. Pure.
 */
struct bm_running {
	const struct bm_work *list[64];
	size_t count;
};
struct bm_work *bm_works_next(struct bm_work *works, size_t count,
		const struct bm_running *running, const bool *failed, bool *waiting);

/* Turn the dump's post-data section into works of the ledger in memory. */
int bm_plan_works(
		struct bm_transfer *t, const struct bm_entries *entries, struct bm_error *err);

#endif
