/*
 * outlook - what a failure or a kill means for the next run
 *
 * Whoever fails says what failed, where it is a relation that can be left out; and where no
 * run can go on. What follows from it for the same command is said to a person by
 * bm_transfer_outlook() and bm_transfer_exclude() of the public header.
 */
#ifndef WORKER_TRANSFER_OUTLOOK_H
#define WORKER_TRANSFER_OUTLOOK_H

#include "worker/transfer/internal.h"

/* This relation (quoted and qualified) failed; the first one counts. Any thread. */
void bm_outlook_blame(struct bm_transfer *t, const char *quoted);

/* The same with schema and name as they are, when `type` is one of relations. */
void bm_outlook_blame_entry(
		struct bm_transfer *t, const char *type, const char *schema, const char *name);

/* No run can go on with this destination. Any thread. */
void bm_outlook_close(struct bm_transfer *t);

/* Tell what a kill costs, when that is much; before the chunks that are missing are copied. */
void bm_outlook_report_cost(struct bm_transfer *t);

/* "schema"."name" without the quotes that it does not need. `size` bytes at `out`. */
void bm_unquote(const char *quoted, char *out, size_t size);

#endif
