/*
 * phase_host - the parent side of `bucardo-machine worker phase` and `worker reconcile`
 *
 * Starts the worker, hands it its request, turns its lines into values, and says
 * how it ended: with its own result, or with none when it was killed, talked
 * nonsense, or said nothing for 3 minutes and was killed for it. Cancelling kills it; every
 * phase can be begun again at any point.
 *
 * Threads: loop thread only. Texts are borrowed for the callback.
 */
#ifndef BUCARDO_MACHINE_PHASE_HOST_H
#define BUCARDO_MACHINE_PHASE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/phase_line.h"

struct json_t;

struct bm_phase_options {
	const char *program; /* path of our own binary: /proc/self/exe */
	const char *worker;  /* "phase" or "reconcile" */
	const char *pgpass;  /* PGPASSFILE of the worker */
	const char *subject; /* whose messages these are, for the log */
};

struct bm_phase_host;

/*
 * Start a worker on `request`, one line of JSON. `on_line` gets each of its lines,
 * but not that it lives; the result is the last. `on_end` is called once: `how` is NULL after
 * a result, else it says how the worker ended without one. The host is to be closed then.
 */
struct bm_phase_host *bm_phase_host_start(struct bm_loop *loop,
		const struct bm_phase_options *options, const char *request,
		void (*on_line)(void *ctx, const struct bm_phase_line *line),
		void (*on_end)(void *ctx, const char *how), void *ctx, struct bm_error *err);

/* Kill it if it still runs; no callback afterwards. NULL is accepted. */
void bm_phase_host_close(struct bm_phase_host *host);

pid_t bm_phase_host_pid(const struct bm_phase_host *host); /* 0: it has ended */

#endif
