/* make_objects - statements that make post-data objects, marked done in the same transaction */
#ifndef WORKER_ROWS_MAKE_OBJECTS_H
#define WORKER_ROWS_MAKE_OBJECTS_H

#include "worker/transfer/pool.h"

/* In one transaction; each with the path, where it is not NULL. */
int bm_objects_make(struct bm_pool_thread *thread, struct bm_post_object *const *objects,
		size_t count, const char *path, struct bm_error *err);

/*
 * What is made before the rows of `wave` (waves.h): keys that are referred to, and foreign keys
 * on tables that are empty. What fails is left for bm_transfer_index(), which checks and tells.
 */
int bm_objects_make_before(struct bm_transfer *t, unsigned wave, struct bm_error *err);

#endif
