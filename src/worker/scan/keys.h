/*
 * keys - rows by the texts of their keys: those under way, those to be looked at again
 *
 * Bounded: BM_KEYS_MOST of them, which is some MB; who has more of them says so and goes
 * without.
 */
#ifndef WORKER_SCAN_KEYS_H
#define WORKER_SCAN_KEYS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BM_KEYS_MOST 50000

/* Columns of a key: an index has no more. */
#define BM_KEYS_COLUMNS 32

struct bm_key_row {
	char *texts;	 /* one a column, each with its NUL */
	unsigned failed; /* in how many looks it differed */
	bool sent;	 /* again, as it differed (repair.h) */
};

struct bm_keys {
	size_t columns, count, capacity;
	struct bm_key_row *list;
};

void bm_keys_init(struct bm_keys *keys, size_t columns);
void bm_keys_finish(struct bm_keys *keys);
void bm_keys_clear(struct bm_keys *keys);

/* Add the key in the first columns of a row; false: there are too many. */
bool bm_keys_add(struct bm_keys *keys, const PGresult *rows, int row);

/* A copy of one of another list, which has as many columns; of all of them. */
bool bm_keys_add_one(struct bm_keys *keys, const struct bm_key_row *row);
bool bm_keys_add_all(struct bm_keys *keys, const struct bm_keys *others);

/* In the order of bytes, each once; a key that is there twice keeps what is known of it. */
void bm_keys_sort(struct bm_keys *keys);

/* Of a sorted list. NULL: not there. */
struct bm_key_row *bm_keys_find(const struct bm_keys *keys, const char *texts);

/* The order of two rows of results, by their first columns. */
int bm_keys_compare_rows(
		const PGresult *a, int row_a, const PGresult *b, int row_b, size_t columns);

/* Rows that no key finds, since it is NULL in a column, as where it is no key on the
 * destination. After the key a row has its hash and how many columns of the key are NULL. */
struct bm_null_rows {
	int64_t rows;
	uint64_t hashes; /* the sum of theirs */
};

/* False: it is none, or there is no such row. */
bool bm_null_rows_take(
		struct bm_null_rows *nulls, const PGresult *rows, int row, size_t columns);
bool bm_null_rows_differ(const struct bm_null_rows *one, const struct bm_null_rows *other);

/* An array of texts for each column, of the `count` keys from `first` on. */
void bm_keys_params(const struct bm_keys *keys, size_t first, size_t count,
		char *params[BM_KEYS_COLUMNS]);
void bm_keys_free_params(const struct bm_keys *keys, char *params[BM_KEYS_COLUMNS]);

/* The text of one column. */
const char *bm_key_text(const struct bm_key_row *row, size_t column);

#endif
