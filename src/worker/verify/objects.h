/*
 * objects - definitions, sequences and large objects: what is kept of them, and the
 * background's comparison
 *
 * Of each of the three one state is kept beside those of the tables (worker/proof): the worst
 * of its objects, and the names of some that differ. The background reads definitions and large
 * objects when the servers count writes to their catalogs, and every `full_every`; sequences in
 * each pass. What differs has to do so for a while: a table that is being added, or a sequence
 * that is transferred every few seconds, is no difference.
 *
 * Private to this folder; struct bm_verify_objects is of bucardo_machine/verify.h.
 */
#ifndef WORKER_VERIFY_OBJECTS_H
#define WORKER_VERIFY_OBJECTS_H

#include "worker/verify/run.h"

struct json_t;

/* A pass of the background; nothing where it does not ask for it. */
void bm_verify_objects_pass(struct bm_run *run);

enum bm_verify_part { BM_PART_DEFINITIONS, BM_PART_SEQUENCES, BM_PART_LARGE_OBJECTS, BM_PARTS };

/* What a person's run found of one: those of `objects` from `first` to before `last`. */
void bm_verify_objects_keep(
		struct bm_run *run, enum bm_verify_part part, size_t first, size_t last);

/* In the background: a table whose columns differ, or that one side lacks, for the first time
 * is unproven, and not told yet. */
void bm_verify_objects_hold(
		struct bm_run *run, const struct bm_verify_table *table, struct json_t *object);

#endif
