/*
 * pool - threads with connections of their own, working off one queue
 *
 * Each thread has a session on the destination and, when asked for, one on the
 * source inside the common snapshot. A connection that is lost is made anew, with
 * growing pauses, before the thread gives up; the first real error ends the work.
 */
#ifndef WORKER_TRANSFER_POOL_H
#define WORKER_TRANSFER_POOL_H

#include "worker/transfer/internal.h"

struct bm_pool_thread {
	struct bm_transfer *transfer;
	PGconn *source; /* NULL when not asked for */
	PGconn *destination;
	char snapshot[64];	  /* the one `source` is in */
	char *moment;		  /* the same, as the ledger names it */
	struct bm_active *active; /* what it is at; NULL: nothing */
};

/*
 * Do one thing. 1: done; 0: nothing is left; -1: failed. After a failure that may
 * pass (BM_ERR_TRANSIENT) it is called again with new connections.
 */
typedef int bm_pool_work(struct bm_pool_thread *thread, void *ctx, struct bm_error *err);

/* Close the connections: what comes next has new ones. */
void bm_pool_thread_disconnect(struct bm_pool_thread *thread);

/* Tell how far it is while no threads are at work, and at what: how long is not known. */
void bm_pool_report(struct bm_transfer *t, const char *remark);

/* Run `jobs` threads until nothing is left. Tells the progress meanwhile. */
int bm_pool_run(struct bm_transfer *t, unsigned jobs, bool with_source, bm_pool_work *work,
		void *ctx, struct bm_error *err);

#endif
