/*
 * sums - what digest.c sums up, per bucket, of two sides
 *
 * Sums of hashes exceed 64 bits; they are kept as the servers give them.
 */
#ifndef WORKER_VERIFY_SUMS_H
#define WORKER_VERIFY_SUMS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/verify/pair.h"

struct bm_sum {
	int64_t rows;
	__int128 hashes, halves;
};

struct bm_sums {
	size_t count; /* of buckets */
	struct bm_sum *sides[BM_PAIR_SIDES];
};

void bm_sums_init(struct bm_sums *sums, size_t count);
void bm_sums_finish(struct bm_sums *sums);

/* Add (sign 1) or take off (-1) what a side answered to bm_digest_sums_sql(). */
void bm_sums_take(struct bm_sums *sums, enum bm_pair_side side, const PGresult *rows, int sign);

bool bm_sums_differ(const struct bm_sums *sums, size_t bucket);

#endif
