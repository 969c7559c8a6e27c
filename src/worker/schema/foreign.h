/*
 * foreign - a foreign key that does not hold yet
 *
 * Chunks that were copied in different runs are of different moments of the source: a child may
 * be there without its parent. Where changes are captured (a declared migration) those that are
 * applied later make it hold. Until then it is there NOT VALID, and `worker reconcile`
 * validates it.
 */
#ifndef WORKER_SCHEMA_FOREIGN_H
#define WORKER_SCHEMA_FOREIGN_H

#include "worker/transfer/internal.h"

/* Why the object failed -> its statement with NOT VALID, to be freed; NULL: that is not the
 * case.
 */
char *bm_foreign_unchecked(const struct bm_transfer *t, const struct bm_post_object *object,
		const struct bm_error *why);

#endif
