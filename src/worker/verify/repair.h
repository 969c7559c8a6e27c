/*
 * repair - rows that differ are sent again, through the replication
 *
 * Their keys are written into the delta table of the live side, the one that applications write
 * to, as its triggers do. So the next run of the sync deletes such a row on the other side and
 * copies the current one, whatever it has become by then; no row is written here. A key that
 * the live side does not have is deleted on the other side by that: only when it was asked for.
 *
 * Which side is live is asked under the lock that who changes it waits for (fence.h); when it
 * is another than at the beginning, nothing is sent.
 */
#ifndef WORKER_VERIFY_REPAIR_H
#define WORKER_VERIFY_REPAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/verify/recheck.h"

/* What was sent is waited for that long at least. */
#define BM_REPAIR_WAIT_MSEC 30000

struct bm_repair {
	struct bm_pair *pair;
	const char *migration; /* NULL: not known */
	bool deletes_extra;    /* rows that the live side does not have are deleted */
	enum bm_pair_side live;
	size_t room; /* keys that may still be kept, of all tables */
};

/* Ask which side is live. */
int bm_repair_begin(struct bm_repair *repair, struct bm_error *err);

/*
 * Send what `recheck` found of a table, which is over, and let it look at those rows again: 1;
 * nothing was sent: 0, with the reason in the object's "unrepaired", if there were rows to
 * send; -1 with `err`: nothing was sent either. Members: docs/verify.md.
 */
int bm_repair_send(struct bm_repair *repair, struct bm_recheck *recheck, struct json_t *object,
		struct bm_error *err);

/* Once they were looked at: how many are as they should be. */
void bm_repair_tell(const struct bm_recheck *recheck, struct json_t *object);

#endif
