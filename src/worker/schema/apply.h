/* apply - what comes before the rows, made on the destination in one transaction */
#ifndef WORKER_SCHEMA_APPLY_H
#define WORKER_SCHEMA_APPLY_H

#include "worker/dump/entries.h"
#include "worker/transfer/internal.h"

/*
 * Make `entries`, then set the `owners`. What fails is tried with the path of the source, and
 * once more when all else is there; what may be left out and is still missing becomes an object
 * for the end (the ledger has it), as does what `after` may have the missing part of.
 */
int bm_apply(struct bm_transfer *t, const struct bm_entries *entries,
		const struct bm_entries *owners, const struct bm_entries *after,
		struct bm_error *err);

#endif
