/*
 * phase - `worker phase`: one phase of a declared migration, run once
 *
 * Every phase looks first for what already holds, and does only what is missing: the
 * process may end at any moment (worker/session/serve.h).
 *
 * Threads: the first one.
 */
#ifndef WORKER_PHASES_PHASE_H
#define WORKER_PHASES_PHASE_H

#include "bucardo_machine/error.h"
#include "worker/session/sides.h"

/* The role `worker phase`; the exit code. */
int bm_phase_run(void);

/* The phases, one row each in phase.c. */
int bm_transfer_phase_run(
		struct bm_phase *phase, struct bm_error *err); /* schema, copy, index */
int bm_replicate_run(struct bm_phase *phase, struct bm_error *err);
/* No phase: what a person decided (accept.c). */
int bm_accept_run(struct bm_phase *phase, struct bm_error *err);

#endif
