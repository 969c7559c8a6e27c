/*
 * ranges - a table as buckets that both sides fill alike, some of them read at a time
 *
 * Where the key begins with a type that every server puts in one order, buckets are ranges of
 * it, half-open, the first and the last without end. Else a bucket is a part of the keys'
 * hashes, and all of them are read at once, as far as a snapshot may live so long: no sort
 * order of texts is the same on two servers for certain.
 */
#ifndef WORKER_SCAN_RANGES_H
#define WORKER_SCAN_RANGES_H

#include <stdbool.h>

#include "bucardo_machine/strbuf.h"
#include "worker/scan/digest.h"
#include "worker/scan/pair.h"
#include "worker/scan/verify_catalog.h"

/* A bucket's rows, about: few enough to be listed when they differ. */
#define BM_RANGES_BUCKET_ROWS 8192

struct bm_ranges {
	unsigned count; /* of buckets */
	bool by_order;
	char **bounds; /* count - 1 of them, by order */
	char *bucket;  /* SQL: the bucket of a row */
};

/* Bounds come from a sample of the source. */
int bm_ranges_plan(struct bm_pair *pair, const struct bm_digest *digest,
		const struct bm_verify_table *table, struct bm_ranges *out,
		struct bm_error *err);
/* A plan as an earlier pass wrote it down: bounds are a list of JSON, or "" by hash. -1: it is
 * none. */
int bm_ranges_take(
		const char *bounds, const char *bucket, unsigned count, struct bm_ranges *out);

/* The bounds as a literal of text[] (free()); NULL by hash. */
char *bm_ranges_array(const struct bm_ranges *ranges);

void bm_ranges_finish(struct bm_ranges *ranges);

/* SQL: rows of the buckets from `first` to before `last`; nothing for all. */
void bm_ranges_condition(const struct bm_ranges *ranges, const struct bm_verify_table *table,
		unsigned first, unsigned last, struct bm_strbuf *out);

#endif
