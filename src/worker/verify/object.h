/* object - what the report says of one table, sequence or other thing; docs/verify.md */
#ifndef WORKER_VERIFY_OBJECT_H
#define WORKER_VERIFY_OBJECT_H

#include "bucardo_machine/verify.h"
#include "worker/verify/pair.h"
#include "worker/verify/scan.h"

struct json_t;

/* {"kind": "table", "name": ..., "state": "equal", "why": ""}. */
struct json_t *bm_verify_object(
		const char *kind, const char *name, enum bm_proof state, const char *why);

/* Set state and reason of one. */
void bm_verify_object_set(struct json_t *object, enum bm_proof state, const char *why);

/* Compare one table, by its key or as a whole. */
struct json_t *bm_verify_table_run(
		const struct bm_verify_options *options, struct bm_scan *scan);

/* All sequences, one object each, appended to `objects`. */
int bm_verify_sequences(const struct bm_verify_options *options, struct bm_pair *pair,
		struct json_t *objects, struct bm_error *err);

#endif
