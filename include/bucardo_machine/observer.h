/*
 * observer - the daemon's end of `worker observe`, a sampler of all databases and syncs
 *
 * The worker reads bucardo.db, sync, dbmap and syncrun from the control database over its
 * unix socket, then each database. A database that hangs delays nobody else. It prints a
 * line when something changed, and at least every 5 s.
 *
 * Threads: that of the loop.
 */
#ifndef BUCARDO_MACHINE_OBSERVER_H
#define BUCARDO_MACHINE_OBSERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "bucardo_machine/event.h"
#include "bucardo_machine/observation.h"

struct bm_observer;

struct bm_observer_options {	/* copied */
	const char *program;	/* path of our own binary: /proc/self/exe */
	const char *socket_dir; /* control PostgreSQL */
	const char *pgpass;	/* PGPASSFILE of the worker */
	uint64_t interval_msec; /* between looks */
	uint64_t timeout_msec;	/* connecting to and asking one database: 5 s */
};

/*
 * `cb` gets each sample, borrowed for the call. A worker that dies or is silent
 * for 20 s is killed and started again with the usual backoff; `down` (may be
 * NULL) tells so. Nothing is started before bm_observer_start().
 */
struct bm_observer *bm_observer_create(struct bm_loop *loop,
		const struct bm_observer_options *options,
		void (*cb)(void *ctx, const struct bm_observation *observation),
		void (*down)(void *ctx, const char *why), void *ctx);
void bm_observer_start(struct bm_observer *observer);
void bm_observer_stop(struct bm_observer *observer);	/* kills it; can start again */
void bm_observer_wake(struct bm_observer *observer);	/* probe now, do not wait */
void bm_observer_renew(struct bm_observer *observer);	/* probe with new sessions */
void bm_observer_destroy(struct bm_observer *observer); /* NULL is accepted */

/* What a person wants to know of the worker; texts are borrowed from the observer. */
struct bm_observer_view {
	pid_t pid;		/* 0: not running */
	uint64_t since_msec;	/* when it began, or ended; 0: never started */
	uint64_t retry_at_msec; /* its next start; 0: none is due */
	unsigned restarts;	/* starts after the first one */
	unsigned failures;	/* ends that nobody asked for, in a row */
	const char *last_exit;	/* "" when it never ended by itself */
	const char *why;	/* it ended; "" */
};
struct bm_observer_view bm_observer_view(const struct bm_observer *observer);

#endif
