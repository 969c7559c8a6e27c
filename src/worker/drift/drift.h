/*
 * drift - tables of both sides compared by their definitions
 *
 * A fingerprint of each table first, details of those only that differ.
 */
#ifndef WORKER_DRIFT_DRIFT_H
#define WORKER_DRIFT_DRIFT_H

#include <stdbool.h>

#include "bucardo_machine/error.h"
#include "worker/session/sides.h"

struct json_t;

/* Name of each table ("public.t") -> fingerprint, which ends with BM_DRIFT_GENERATED when
 * there are generated columns; NULL with `err`. With `exact` the
 * texts of expressions take part: they read the same only on servers of one version. */
#define BM_DRIFT_GENERATED " generated"
struct json_t *bm_drift_fingerprints(
		struct bm_phase *phase, enum bm_side side, bool exact, struct bm_error *err);

/* Name -> definition, for the tables of an array of names; NULL with `err`. */
struct json_t *bm_drift_definitions(struct bm_phase *phase, enum bm_side side,
		const struct json_t *names, bool exact, struct bm_error *err);

/*
 * What differs between two definitions (NULL: no such table), appended to `out` as
 * {table, difference, hint, breaks}: the hint is a statement for the side that it names,
 * `breaks` says that rows of the live side cannot be applied to the other, or may be refused.
 * Returns whether any breaks. `*rewritten`: existing rows may differ after the fix
 * too, since the live side changed them without a trigger having seen it. Pure.
 */
bool bm_drift_compare(const char *table, enum bm_side live, const struct json_t *source,
		const struct json_t *destination, bool exact, struct json_t *out,
		bool *rewritten);

/*
 * What breaks of these tables (the keys of `names`) at this moment: an array of rows as
 * bm_drift_compare() appends them; new, NULL with `err`. Tables that one side lacks are not in
 * it.
 */
struct json_t *bm_drift_breaking(struct bm_phase *phase, enum bm_side live,
		const struct json_t *names, struct bm_error *err);

#endif
