/*
 * key_steps - what follows the keys and names of captured tables at a side, see table_keys.h
 *
 * Functions of schema bucardo, and the table of what they have seen.
 */
#ifndef WORKER_DELTAS_KEY_STEPS_H
#define WORKER_DELTAS_KEY_STEPS_H

#include <stddef.h>

/* Statements that make what following takes at a side that is captured. */
extern const char *const bm_keys_steps[];
extern const size_t bm_keys_step_count;

#endif
