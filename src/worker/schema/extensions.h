/* extensions - CREATE EXTENSION by rule, and what came of it */
#ifndef WORKER_SCHEMA_EXTENSIONS_H
#define WORKER_SCHEMA_EXTENSIONS_H

#include "worker/dump/entries.h"
#include "worker/transfer/internal.h"

struct bm_extensions {
	PGresult *source; /* name, version, whether it is skipped, version to ask for or NULL */
	PGresult *before; /* of the destination: name, version */
};

/* Look at both sides, and make the entries do what the rules say. */
int bm_extensions_apply(struct bm_transfer *t, struct bm_entries *entries,
		struct bm_extensions *out, struct bm_error *err);
void bm_extensions_finish(struct bm_extensions *extensions);

/* Tell which were made, were there, were skipped and are missing. */
int bm_extensions_report(struct bm_transfer *t, const struct bm_extensions *extensions,
		struct bm_error *err);

/* Add the relations of skipped extensions to `t->outside`. */
int bm_extensions_leave_out(struct bm_transfer *t, struct bm_error *err);

#endif
