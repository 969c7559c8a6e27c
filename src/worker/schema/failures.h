/*
 * failures - objects that could not be made, and what that means
 *
 * One that the destination can do without is told as a finding, and the transfer goes on;
 * any other ends it, once all else is made.
 */
#ifndef WORKER_SCHEMA_FAILURES_H
#define WORKER_SCHEMA_FAILURES_H

#include "worker/transfer/internal.h"

struct bm_failures {
	struct bm_transfer *transfer;
	bool *failed;	       /* one an object, as the next two */
	struct bm_error **why; /* NULL: it did not fail */
	char **other;	       /* why it was made without its path; NULL: it was not */
};

void bm_failures_init(struct bm_failures *failures, struct bm_transfer *transfer);
void bm_failures_finish(struct bm_failures *failures);

/* Any thread. */
void bm_failures_add(struct bm_failures *failures, const struct bm_post_object *object,
		const struct bm_error *why);
void bm_failures_other(struct bm_failures *failures, const struct bm_post_object *object,
		const char *why);

/* How many failed since something was missing; `forgive` lets them be tried again. */
size_t bm_failures_missing(const struct bm_failures *failures);
size_t bm_failures_forgive(struct bm_failures *failures);

/* Tell all of them; -1 when one is among them that has to be there. Main thread. */
int bm_failures_report(struct bm_failures *failures, struct bm_error *err);

#endif
