/*
 * apply_whole - tables that nobody captures, for want of a key mostly, made the same as a whole
 *
 * Each is summed up on both sides (verify/digest.h); those that differ are emptied on `to`,
 * copied from `from`, and summed up again. For use where nobody writes: the caller's
 * transaction on `from` holds their locks. What the servers count is not relied on: they count
 * what a session wrote up to ten seconds later.
 *
 * Threads: one at a time.
 */
#ifndef WORKER_APPLY_APPLY_WHOLE_H
#define WORKER_APPLY_APPLY_WHOLE_H

#include <stdbool.h>

#include "worker/apply/apply.h"

struct bm_apply_whole_result {
	unsigned copied; /* tables */
	uint64_t rows; /* that were copied; without `copies`, and on failure, all of them, about
			*/
	uint64_t bytes; /* of all, on `from`, about */
	uint64_t msec;
};

/* Whether a table, by its quoted and qualified name, is one of these. */
bool bm_apply_is_whole(const struct bm_apply *apply, const char *name);

/*
 * One transaction on `to`, which is committed when all are the same; on `from` that of the
 * caller, or one that only reads. Without `copies` they are only read, on both sides, to see
 * how long that takes. On failure nothing is changed, and a session in the middle of something
 * is cut off.
 */
int bm_apply_whole(struct bm_apply *apply, const char *const *names, size_t count, bool copies,
		uint64_t limit_msec, struct bm_apply_whole_result *result,
		struct bm_error *err);

#endif
