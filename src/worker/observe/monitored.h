/*
 * monitored - one database and the thread that looks at it
 *
 * libpq resolves names while it connects and can block there for as long as the
 * resolver likes. A thread for each database is the plain way to let one that
 * hangs delay nobody else: inside its thread the code is straight-line.
 *
 * All threads share the sampler's state. It is read and written with its lock
 * held; nobody asks a database while holding it.
 */
#ifndef WORKER_OBSERVE_MONITORED_H
#define WORKER_OBSERVE_MONITORED_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/observation.h"
#include "worker/deltas/bucardo_catalog.h"
#include "worker/session/conninfo.h"
#include "worker/deltas/sync_probe.h"

struct bm_monitored;

struct bm_sampler {
	uint64_t interval_msec, timeout_msec; /* fixed */
	int wake_fd;			      /* eventfd, written to when something changed */
	pthread_mutex_t lock;
	pthread_cond_t wake;	   /* for those who rest between two looks */
	unsigned wakes;		   /* grows when everybody is to probe now */
	unsigned renewals;	   /* and when with a new connection */
	struct bm_catalog catalog; /* as read last */
	char problem[400];	   /* why the control database cannot be read; "" */
	struct bm_monitored *monitored;
};

/* What the database said about one sync. */
struct bm_sync_probe {
	char *sync;
	uint64_t taken_msec;
	bool is_known; /* `backlog` was counted */
	struct bm_backlog backlog;
	struct bm_session session;
	int64_t worked_msec; /* time its run was seen to work here; never shrinks */
	uint64_t requeued_msec, purged_msec; /* when its deltas were reconciled last */
	int64_t requeued_rows;		     /* since the sync was registered */
};

struct bm_monitored {
	struct bm_monitored *next;
	struct bm_sampler *sampler;
	char *name;		 /* fixed */
	struct bm_conninfo info; /* fixed */
	char *config_problem;	 /* fixed: `info` is of no use because of this; "" */
	bool is_gone;		 /* its thread ends and frees it */
	enum bm_reach reach;
	char error[400];
	uint64_t since_msec;
	uint64_t asking_since_msec; /* 0: resting */
	uint64_t pinned_msec;	    /* its thread's: when functions were looked at last */
	size_t probe_count;
	struct bm_sync_probe *probes;
};

/* Make the monitored databases those of the catalog. Lock held. */
void bm_monitored_reconcile(struct bm_sampler *sampler);

/* Find by name; NULL when it is not monitored (any more). Lock held. */
struct bm_monitored *bm_monitored_find(struct bm_sampler *sampler, const char *name);

/* What it said of a sync; NULL nothing yet. Lock held. */
const struct bm_sync_probe *bm_monitored_probe(
		const struct bm_monitored *monitored, const char *sync);

/* Mark those as out of reach that are asked for too long already. Lock held. */
void bm_monitored_expire(struct bm_sampler *sampler, uint64_t now_msec);

/* Rest until `msec` passed, somebody wakes, or `*is_gone`. Lock not held. */
void bm_sampler_rest(struct bm_sampler *sampler, uint64_t msec, const bool *is_gone);
/* Whether a connection that was made for renewal `*renewal` is to be given up. */
bool bm_sampler_renews(struct bm_sampler *sampler, unsigned *renewal);

/* Start a detached thread with a small stack. */
int bm_sampler_start_thread(void *(*run)(void *), void *argument, struct bm_error *err);

/* Tell the main thread that something was written. */
void bm_sampler_wake(struct bm_sampler *sampler);

#endif
