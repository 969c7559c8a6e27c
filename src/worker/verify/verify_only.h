/*
 * verify_only - of which tables the definitions are compared where a person names tables
 *
 * Those that are compared row by row, the partitioned tables that they belong to, and those
 * that the destination alone has: a partition more, say.
 */
#ifndef WORKER_VERIFY_VERIFY_ONLY_H
#define WORKER_VERIFY_VERIFY_ONLY_H

#include "worker/scan/verify_catalog.h"

struct json_t;

/* The names, quoted, as an object; null where all are compared. NULL with `err`. */
struct json_t *bm_verify_only(struct bm_pair *pair, const struct bm_verify_options *options,
		const struct bm_verify_catalog *catalog, struct bm_error *err);

#endif
