/*
 * ready - may the live side be left now? A table of conditions, asked without any lock
 *
 * Each is an object: name, value, limit, state, why, hint. The state is `ready`, `not_ready`,
 * `unknown` (it could not be asked; never counts as ready) or `accepted` (a person said by name
 * that it may be so). Nothing is changed.
 *
 * The side that is left is the source for phase cutover, the destination for failback.
 */
#ifndef WORKER_CUTOVER_READY_H
#define WORKER_CUTOVER_READY_H

#include <stdbool.h>

#include "worker/session/sides.h"

struct json_t;

/* Appends all of them to `conditions`; what passes by itself is asked again for some seconds.
 * `*ready`: all are ready or accepted. -1 with `err` only when nothing could be asked. */
int bm_cutover_ready(struct bm_phase *phase, struct json_t *conditions, bool *ready,
		struct bm_error *err);

/* Mode check: the conditions are the evidence of the phase, which is done in either case. */
int bm_cutover_check(struct bm_phase *phase, struct bm_error *err);

/* Whether a person accepted this by its name. */
bool bm_cutover_is_accepted(const struct bm_phase *phase, const char *object);

/* Whether all that a person accepted can be: -1 with `err`, and the names in the hint, when one
 * is the name of nothing. Where that cannot be asked it is for bm_cutover_ready() to say. */
int bm_cutover_know_accepted(struct bm_phase *phase, struct bm_error *err);

/* The side that is left, and the one that becomes live. */
enum bm_side bm_cutover_from(const struct bm_phase *phase);
enum bm_side bm_cutover_to(const struct bm_phase *phase);

#endif
