/*
 * doctor - what is wrong with a migration: facts are gathered, a table of rules names causes
 *
 * Nothing is changed, nobody is held up: each question has short limits, all of them together
 * 30 s or so. The evidence has `findings` (evaluate.h, since.h), and `not_looked_at`: what
 * could not be asked, with the reason. The request (docs/worker-protocol.md) carries what the
 * machine knows already, and what was found the last time.
 */
#ifndef WORKER_DOCTOR_DOCTOR_H
#define WORKER_DOCTOR_DOCTOR_H

#include "worker/session/sides.h"

/* Phase doctor. A side that cannot be reached is a finding, not an error. */
int bm_doctor_run(struct bm_phase *phase, struct bm_error *err);

#endif
