#include "worker/scan/keys.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/libpq.h"

void bm_keys_init(struct bm_keys *keys, size_t columns)
{
	*keys = (struct bm_keys){.columns = columns};
}

void bm_keys_clear(struct bm_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++) {
		free(keys->list[i].texts);
	}
	keys->count = 0;
}

void bm_keys_finish(struct bm_keys *keys)
{
	bm_keys_clear(keys);
	free(keys->list);
	*keys = (struct bm_keys){0};
}

const char *bm_key_text(const struct bm_key_row *row, size_t column)
{
	const char *text = row->texts;

	while (column-- > 0) {
		text += strlen(text) + 1;
	}
	return text;
}

static char *texts_of(const PGresult *rows, int row, size_t columns)
{
	size_t size = 0;

	for (size_t i = 0; i < columns; i++) {
		size += strlen(PQgetvalue(rows, row, (int)i)) + 1;
	}
	char *texts = bm_alloc(size), *at = texts;
	for (size_t i = 0; i < columns; i++) {
		const char *value = PQgetvalue(rows, row, (int)i);
		memcpy(at, value, strlen(value) + 1);
		at += strlen(value) + 1;
	}
	return texts;
}

static char *copy_texts(const char *texts, size_t columns)
{
	const char *end = texts;

	for (; columns > 0; columns--) {
		end += strlen(end) + 1;
	}
	char *copy = bm_alloc((size_t)(end - texts) + 1);
	memcpy(copy, texts, (size_t)(end - texts));
	return copy;
}

/* Takes the texts over. */
static void add(struct bm_keys *keys, struct bm_key_row row)
{
	if (keys->count == keys->capacity) {
		keys->capacity = keys->capacity > 0 ? keys->capacity * 2 : 64;
		keys->list = bm_realloc(keys->list, keys->capacity, sizeof(*keys->list));
	}
	keys->list[keys->count++] = row;
}

static int compare_texts(const char *a, const char *b, size_t columns)
{
	int order = 0;

	for (; columns > 0 && order == 0; columns--) {
		order = strcmp(a, b);
		a += strlen(a) + 1;
		b += strlen(b) + 1;
	}
	return order;
}

static int compare_keys(const void *a, const void *b, void *columns)
{
	const struct bm_key_row *one = a, *other = b;

	return compare_texts(one->texts, other->texts, *(const size_t *)columns);
}

void bm_keys_sort(struct bm_keys *keys)
{
	size_t kept = 0;

	if (keys->count < 2) {
		return;
	}
	qsort_r(keys->list, keys->count, sizeof(*keys->list), compare_keys, &keys->columns);
	for (size_t i = 1; i < keys->count; i++) {
		if (compare_keys(&keys->list[kept], &keys->list[i], &keys->columns) != 0) {
			keys->list[++kept] = keys->list[i];
			continue;
		}
		if (keys->list[kept].failed < keys->list[i].failed) {
			keys->list[kept].failed = keys->list[i].failed;
		}
		keys->list[kept].sent = keys->list[kept].sent || keys->list[i].sent;
		free(keys->list[i].texts);
	}
	keys->count = kept + 1;
}

struct bm_key_row *bm_keys_find(const struct bm_keys *keys, const char *texts)
{
	size_t low = 0, high = keys->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_texts(texts, keys->list[middle].texts, keys->columns);
		if (order == 0) {
			return &keys->list[middle];
		}
		low = order > 0 ? middle + 1 : low;
		high = order > 0 ? high : middle;
	}
	return NULL;
}

/* What is there twice goes first, should there be no room. */
static bool has_room(struct bm_keys *keys)
{
	if (keys->count == BM_KEYS_MOST) {
		bm_keys_sort(keys);
	}
	return keys->count < BM_KEYS_MOST;
}

bool bm_keys_add(struct bm_keys *keys, const PGresult *rows, int row)
{
	if (!has_room(keys)) {
		return false;
	}
	add(keys, (struct bm_key_row){.texts = texts_of(rows, row, keys->columns)});
	return true;
}

bool bm_keys_add_one(struct bm_keys *keys, const struct bm_key_row *row)
{
	if (!has_room(keys)) {
		return false;
	}
	add(keys,
			(struct bm_key_row){.texts = copy_texts(row->texts, keys->columns),
					.sent = row->sent});
	return true;
}

bool bm_keys_add_all(struct bm_keys *keys, const struct bm_keys *others)
{
	for (size_t i = 0; i < others->count; i++) {
		if (!bm_keys_add_one(keys, &others->list[i])) {
			return false;
		}
	}
	return true;
}

int bm_keys_compare_rows(
		const PGresult *a, int row_a, const PGresult *b, int row_b, size_t columns)
{
	int order = 0;

	for (int i = 0; i < (int)columns && order == 0; i++) {
		order = strcmp(PQgetvalue(a, row_a, i), PQgetvalue(b, row_b, i));
	}
	return order;
}

void bm_keys_params(const struct bm_keys *keys, size_t first, size_t count,
		char *params[BM_KEYS_COLUMNS])
{
	for (size_t column = 0; column < keys->columns; column++) {
		struct bm_strbuf array = BM_STRBUF_INIT;
		for (size_t i = first; i < first + count; i++) {
			bm_quote_array_add(&array, bm_key_text(&keys->list[i], column));
		}
		params[column] = bm_quote_array_end(&array);
	}
}

void bm_keys_free_params(const struct bm_keys *keys, char *params[BM_KEYS_COLUMNS])
{
	for (size_t column = 0; column < keys->columns; column++) {
		free(params[column]);
	}
}

bool bm_null_rows_take(
		struct bm_null_rows *nulls, const PGresult *rows, int row, size_t columns)
{
	if (row >= PQntuples(rows) || PQgetvalue(rows, row, (int)columns + 1)[0] == '0') {
		return false;
	}
	nulls->rows++;
	nulls->hashes += strtoull(PQgetvalue(rows, row, (int)columns), NULL, 10);
	return true;
}

bool bm_null_rows_differ(const struct bm_null_rows *one, const struct bm_null_rows *other)
{
	return one->rows != other->rows || one->hashes != other->hashes;
}
