/*
 * captured - which tables of a side are captured, by whomever
 *
 * The list may be another role's, and it may be no table at all: then nobody's word counts, and
 * it is empty.
 */
#ifndef WORKER_DELTAS_CAPTURED_H
#define WORKER_DELTAS_CAPTURED_H

#include "worker/session/sides.h"

/* Their names as a literal of text[]; NULL with `err`. */
char *bm_captured_tables(struct bm_phase *phase, enum bm_side side, struct bm_error *err);

#endif
