/*
 * digest - statements that make rows of two servers comparable by a few numbers
 *
 * A row is hashed column by column, each with a seed of its own, in the order of the columns'
 * names: an absent value is none of the texts, and two values that change places are seen. The
 * sum of a range is its count and two independent sums of its rows' hashes.
 * All three can be subtracted, so rows that are under way are taken out of a sum afterwards,
 * without a list of keys in the scan.
 *
 * Values are compared by their text, as far as a cheaper way does not say the same: numeric
 * 1.0 is not 1.00, -0 is not 0, 'a ' is not 'a', whatever the type's own `=` says. The servers'
 * hash functions are promised to nobody: they are tried on both sides first
 * (bm_digest_probe_sql), and sha256 takes their place.
 *
 * Pure: texts of SQL, and sums of what comes back.
 */
#ifndef WORKER_SCAN_DIGEST_H
#define WORKER_SCAN_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/strbuf.h"
#include "worker/scan/pair.h"
#include "worker/scan/verify_catalog.h"

struct bm_digest {
	bool portable;	    /* sha256 */
	bool same_encoding; /* of the two databases */
	bool converted;	    /* texts reach us in another encoding than one of them has */
};

/* Hashes of fixed values, one column each. */
void bm_digest_probe_sql(struct bm_strbuf *out);

/* The hash of a row, as bigint; those of its columns, as bigint[]. */
void bm_digest_row(const struct bm_digest *digest, const struct bm_verify_table *table,
		struct bm_strbuf *out);
void bm_digest_columns(const struct bm_digest *digest, const struct bm_verify_table *table,
		struct bm_strbuf *out);

/* A number from 0 to `count` - 1, a power of two, from the hash of the row's key: of its bits
 * from `shift` on. */
void bm_digest_key_bucket(const struct bm_digest *digest, const struct bm_verify_table *table,
		unsigned shift, unsigned count, struct bm_strbuf *out);

/* "(a, b) IN (keys)": the row is one of those whose keys the parameters from `first` on hold,
 * an array of texts for each column of the key. */
void bm_digest_keys_condition(
		const struct bm_verify_table *table, unsigned first, struct bm_strbuf *out);

/* The columns of the key as the texts that pending keys have: "format('%s', a), ...". */
void bm_digest_key_texts(const struct bm_verify_table *table, struct bm_strbuf *out);

/*
 * Sums by bucket: bucket, count, two sums. `bucket` and `condition` are SQL; "" for all rows.
 */
void bm_digest_sums_sql(const struct bm_digest *digest, const struct bm_verify_table *table,
		const char *bucket, const char *condition, struct bm_strbuf *out);

/* Rows one by one, in the order of bytes of their keys: the key's texts, the row's hash. */
void bm_digest_rows_sql(const struct bm_digest *digest, const struct bm_verify_table *table,
		const char *condition, unsigned limit, struct bm_strbuf *out);

/* The same by keys (parameters from 1 on), with the hashes of the columns, and with their
 * texts. */
void bm_digest_look_sql(const struct bm_digest *digest, const struct bm_verify_table *table,
		bool values, struct bm_strbuf *out);

/* What bm_digest_sums_sql() sums up, of two sides; sums of hashes exceed 64 bits. */
struct bm_sum {
	int64_t rows;
	__int128 hashes, halves;
};

struct bm_sums {
	size_t first, count; /* of buckets */
	struct bm_sum *sides[BM_PAIR_SIDES];
};

/* Of `count` buckets from `first` on; no others are taken. */
void bm_sums_init(struct bm_sums *sums, size_t first, size_t count);
void bm_sums_finish(struct bm_sums *sums);

/* Add (sign 1) or take off (-1) what a side answered. No bucket is the first one. */
void bm_sums_take(struct bm_sums *sums, enum bm_pair_side side, const PGresult *rows, int sign);

const struct bm_sum *bm_sums_of(
		const struct bm_sums *sums, enum bm_pair_side side, size_t bucket);
bool bm_sums_differ(const struct bm_sums *sums, size_t bucket);

#endif
