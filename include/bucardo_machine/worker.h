/*
 * worker - work that blocks, in processes that may be killed
 *
 * Both ends of it: the daemon starts `bucardo-machine worker NAME`, hands it one
 * JSON line of order on stdin, and reads JSON lines from its stdout; stderr goes
 * to the log. A worker talks to remote databases with plain blocking libpq. Closing
 * its stdin or killing it is the cancel; it dies with its parent. The lines are
 * documented in docs/worker-protocol.md.
 *
 * No password is ever in an order: libpq reads the pgpass file.
 */
#ifndef BUCARDO_MACHINE_WORKER_H
#define BUCARDO_MACHINE_WORKER_H

#include <sys/types.h>

#include "bucardo_machine/bucardo.h"
#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"

/* The role `worker NAME`: argv[0] is the word `worker`, argv[1] the name. Runs to its
 * end, returns the exit code. */
int bm_worker_main(int argc, char **argv);

/*
 * ---- observe: a long-lived sampler of all databases and syncs ----
 * Reads bucardo.db, sync, dbmap and syncrun from the control database over its
 * unix socket, then each database. A database that hangs delays nobody else.
 * Prints a line when something changed, and at least every 5 s.
 */
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
void bm_observer_poke(struct bm_observer *observer);	/* look now, do not wait */
void bm_observer_renew(struct bm_observer *observer);	/* look with new sessions */
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
