/* internal - what the files of worker/objects share */
#ifndef WORKER_OBJECTS_INTERNAL_H
#define WORKER_OBJECTS_INTERNAL_H

#include "worker/objects/objects.h"

struct bm_objects_pass {
	const struct bm_objects *o;
	uint64_t deadline_msec; /* a time of bm_clock_msec() */
	char told[300];
};

/* Statements that end with the pass. */
int bm_objects_do(struct bm_objects_pass *p, PGconn *conn, const char *sql, int count,
		const char *const *params, struct bm_error *err);
int bm_objects_script(
		struct bm_objects_pass *p, PGconn *conn, const char *sql, struct bm_error *err);

/* In both transactions: those of "{1,2}" are on `to` as they are on `from`, or gone
 * (objects_copy.c). */
int bm_objects_copy(struct bm_objects_pass *p, const char *oids, struct bm_error *err);

#endif
