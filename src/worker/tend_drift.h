/*
 * tend_drift - tables of both ends compared by their definitions
 *
 * A fingerprint of each table first, details of those only that differ.
 */
#ifndef WORKER_TEND_DRIFT_H
#define WORKER_TEND_DRIFT_H

#include <stdbool.h>

#include "bucardo_machine/error.h"
#include "worker/phase.h"

struct json_t;

/* Name of each table ("public.t") -> fingerprint, which ends with BM_DRIFT_GENERATED when
 * there are generated columns; NULL with `err`. With `exact` the
 * texts of defaults take part: they read the same only on servers of one version. */
#define BM_DRIFT_GENERATED " generated"
struct json_t *bm_drift_fingerprints(
		struct bm_phase *phase, enum bm_end end, bool exact, struct bm_error *err);

/* Name -> definition, for the tables of an array of names; NULL with `err`. */
struct json_t *bm_drift_definitions(struct bm_phase *phase, enum bm_end end,
		const struct json_t *names, struct bm_error *err);

/*
 * What differs between two definitions (NULL: no such table), appended to `out` as
 * {table, difference, mend, breaks}: `breaks` says that rows cannot be applied.
 * Returns whether any breaks. `*rewritten`: existing rows may differ after the mend
 * too, since the source changed them without a trigger having seen it. Pure.
 */
bool bm_drift_compare(const char *table, const struct json_t *source,
		const struct json_t *destination, bool exact, struct json_t *out,
		bool *rewritten);

#endif
