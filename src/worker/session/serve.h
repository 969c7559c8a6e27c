/*
 * serve - the frame of a worker that does one request: `worker phase`, `worker reconcile`
 *
 * The request comes on stdin, lines go to stdout (docs/worker-protocol.md). When stdin is
 * closed the process ends at once, wherever it is.
 *
 * Threads: the work runs on the first one; another waits for the end of stdin, and says
 * meanwhile that the process lives.
 */
#ifndef WORKER_SESSION_SERVE_H
#define WORKER_SESSION_SERVE_H

#include <stdbool.h>

#include "bucardo_machine/error.h"
#include "worker/session/sides.h"

/* Reads the request, calls `run`, prints the result. `beats`: it
 * says every 10 s that it lives; a worker that does without says something itself. */
int bm_phase_serve(const char *title, bool beats,
		int (*run)(struct bm_phase *phase, struct bm_error *err));

#endif
