/*
 * objects - large objects made the same on both sides again
 *
 * No trigger sees a large object, and no lock on a table keeps anybody from writing one. What
 * was written is found by a print of each (its pages' transactions and places, not its bytes),
 * kept on each side in a temporary table of our session there; those whose print is another one
 * are compared by a digest of their bytes, and copied where that differs. The first pass knows
 * none and reads all bytes; the next ones read what was written since, by either side.
 *
 * An object that both sides have keeps owner, grants and comment of `to`; one that is new there
 * gets those of `from`, as the copy of a migration gives them (transfer/large_objects.h).
 *
 * Threads: one at a time.
 */
#ifndef WORKER_OBJECTS_OBJECTS_H
#define WORKER_OBJECTS_OBJECTS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/rules.h"

struct bm_objects {
	PGconn *from, *to;		   /* the caller's; sessions that know stay open */
	const struct bm_role_rules *roles; /* from the source to the destination */
	bool is_back;			   /* `from` is the destination */
};

struct bm_objects_result {
	uint64_t looked; /* compared by their bytes */
	uint64_t copied; /* made, written or unlinked on `to` */
	char told[300];	 /* what could not be as it is on `from`; "" nothing */
};

/* Of one side: how many, their bytes, and how long taking the prints takes now. */
struct bm_objects_size {
	uint64_t count, bytes, msec;
};
int bm_objects_measure(PGconn *conn, uint64_t limit_msec, struct bm_objects_size *out,
		struct bm_error *err);

/*
 * One pass: after it both sides are the same, of the moment of its begin or, in a transaction
 * that the caller has open on `from`, of that transaction. `to` is committed. On failure `to`
 * is as it was, a session in the middle of something is cut off, and `from` may be in a failed
 * transaction of the caller's.
 */
int bm_objects_pass(const struct bm_objects *o, uint64_t limit_msec,
		struct bm_objects_result *result, struct bm_error *err);

/* Those of `from` that were written since the last pass: "1, 2, 3" at most, and how many. */
int bm_objects_written(const struct bm_objects *o, uint64_t limit_msec, char names[64],
		uint64_t *count, struct bm_error *err);

#endif
