#include "worker/scan/ranges.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/macros.h"

#define BUCKET_ROWS BM_RANGES_BUCKET_ROWS
#define BUCKETS_BY_HASH_MOST 4096u

/* Of whole numbers that could be keys, the part that is: a bucket never has more rows than its
 * width, which is four times as many as it should have. */
#define DENSITY_LEAST 0.25

/* Above this many rows the bounds come from a part of the pages. */
#define SAMPLED_ABOVE 200000
#define SAMPLED_PER_BUCKET 64

static bool is_ordered_alike(const struct bm_verify_column *column)
{
	static const char *const types[] = {"smallint", "integer", "bigint", "oid", "numeric",
			"uuid", "date", "timestamp without time zone",
			"timestamp with time zone"};

	for (size_t i = 0; i < BM_COUNT_OF(types); i++) {
		if (column->way != BM_WAY_FORMAT && strcmp(column->type, types[i]) == 0) {
			return true;
		}
	}
	return false;
}

static void put_bounds_sql(const struct bm_verify_table *table, struct bm_strbuf *sql)
{
	const char *key = table->key[0].name;
	bool is_sampled = table->rows > SAMPLED_ABOVE;

	bm_strbuf_printf(sql,
			"SELECT k::text FROM (SELECT DISTINCT k FROM (SELECT %s::%s AS k,"
			" row_number() OVER (ORDER BY %s) AS n FROM ONLY %s",
			key, table->key[0].type, key, table->name);
	if (is_sampled) {
		bm_strbuf_printf(sql, " TABLESAMPLE SYSTEM (%g)",
				100.0 * SAMPLED_PER_BUCKET / BUCKET_ROWS);
	}
	bm_strbuf_printf(sql, ") s WHERE n %% %d = 0) d ORDER BY k",
			is_sampled ? SAMPLED_PER_BUCKET : BUCKET_ROWS);
}

char *bm_ranges_array(const struct bm_ranges *ranges)
{
	struct bm_strbuf array = BM_STRBUF_INIT;

	for (unsigned i = 0; ranges->by_order && i + 1 < ranges->count; i++) {
		bm_quote_array_add(&array, ranges->bounds[i]);
	}
	return ranges->by_order ? bm_quote_array_end(&array) : NULL;
}

static long long number_at(const PGresult *rows, int column)
{
	return strtoll(PQgetvalue(rows, 0, column), NULL, 10);
}

/* Buckets of one width, as far as the keys are dense: nothing has to be sampled, and the bucket
 * of a row is worked out in a fifth of the time. Too few keys for that leave `out` alone. */
static void plan_by_width(const struct bm_verify_table *table, long long least, long long most,
		struct bm_ranges *out)
{
	const struct bm_verify_column *key = &table->key[0];
	double width = (double)most - (double)least + 1;

	if (width > (double)table->rows / DENSITY_LEAST) {
		return;
	}
	long long step = (long long)(width * BUCKET_ROWS / (double)table->rows) + 1;
	out->by_order = true;
	out->count = (unsigned)((most - least) / step) + 1;
	out->bounds = bm_alloc(out->count * sizeof(*out->bounds));
	for (unsigned i = 0; i + 1 < out->count; i++) {
		out->bounds[i] = bm_format("%lld", least + (i + 1) * step);
	}
	/* Later rows may lie outside; a bigint must not overflow. */
	out->bucket = bm_format(
			"((least(greatest(%s::bigint, %lld), %lld) - %lld) / %lld)::int",
			key->name, least, most, least, step);
}

static int plan_by_number(struct bm_pair *pair, const struct bm_verify_table *table,
		struct bm_ranges *out, struct bm_error *err)
{
	const char *key = table->key[0].name;
	char *sql = bm_format("SELECT min(%s)::bigint, max(%s)::bigint FROM ONLY %s", key, key,
			table->name);
	PGresult *rows = bm_pair_ask_one(pair->main[BM_PAIR_SOURCE], sql, 0, NULL, err);

	free(sql);
	if (rows == NULL) {
		return bm_error_wrap(err, "source: looking for the ends of the key");
	}
	if (!PQgetisnull(rows, 0, 0)) {
		plan_by_width(table, number_at(rows, 0), number_at(rows, 1), out);
	}
	PQclear(rows);
	return 0;
}

static int plan_by_order(struct bm_pair *pair, const struct bm_verify_table *table,
		struct bm_ranges *out, struct bm_error *err)
{
	const struct bm_verify_column *key = &table->key[0];
	struct bm_strbuf sql = BM_STRBUF_INIT;

	put_bounds_sql(table, &sql);
	PGresult *rows = bm_pair_ask_one(
			pair->main[BM_PAIR_SOURCE], bm_strbuf_text(&sql), 0, NULL, err);
	bm_strbuf_finish(&sql);
	if (rows == NULL) {
		return bm_error_wrap(err, "source: looking for bounds");
	}
	out->by_order = true;
	out->count = (unsigned)PQntuples(rows) + 1;
	out->bounds = bm_alloc(out->count * sizeof(*out->bounds));
	for (int i = 0; i < PQntuples(rows); i++) {
		out->bounds[i] = bm_strdup(PQgetvalue(rows, i, 0));
	}
	PQclear(rows);
	bm_strbuf_printf(&sql, "width_bucket(%s::%s, ", key->name, key->type);
	char *bounds = bm_ranges_array(out);
	bm_quote_literal(&sql, bounds);
	free(bounds);
	bm_strbuf_printf(&sql, "::%s[])", key->type);
	out->bucket = bm_strbuf_detach(&sql);
	return 0;
}

static void plan_by_hash(const struct bm_digest *digest, const struct bm_verify_table *table,
		struct bm_ranges *out)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	out->count = 1;
	while (out->count < BUCKETS_BY_HASH_MOST &&
			(uint64_t)out->count * BUCKET_ROWS < table->rows) {
		out->count *= 2;
	}
	bm_digest_key_bucket(digest, table, 0, out->count, &sql);
	out->bucket = bm_strbuf_detach(&sql);
}

int bm_ranges_plan(struct bm_pair *pair, const struct bm_digest *digest,
		const struct bm_verify_table *table, struct bm_ranges *out,
		struct bm_error *err)
{
	*out = (struct bm_ranges){.count = 1};
	if (table->key_count == 0 || table->rows <= BUCKET_ROWS) {
		out->bucket = bm_strdup("0");
		return 0;
	}
	if (table->key_count == 1 && table->key[0].way == BM_WAY_INT &&
			plan_by_number(pair, table, out, err) != 0) {
		return -1;
	}
	if (out->bucket != NULL) {
		return 0;
	}
	if (is_ordered_alike(&table->key[0])) {
		return plan_by_order(pair, table, out, err);
	}
	plan_by_hash(digest, table, out);
	return 0;
}

int bm_ranges_take(
		const char *bounds, const char *bucket, unsigned count, struct bm_ranges *out)
{
	json_t *list = bounds[0] != '\0' ? json_loads(bounds, 0, NULL) : NULL;

	*out = (struct bm_ranges){.count = count, .by_order = list != NULL};
	if (list != NULL && json_array_size(list) + 1 == count) {
		out->bounds = bm_alloc(count * sizeof(*out->bounds));
		for (unsigned i = 0; i + 1 < count; i++) {
			out->bounds[i] = bm_strdup(json_string_value(json_array_get(list, i)));
		}
	}
	out->bucket = bm_strdup(bucket);
	bool good = (bounds[0] == '\0') == (list == NULL) &&
			(list == NULL || out->bounds != NULL);
	json_decref(list);
	return good ? 0 : -1;
}

void bm_ranges_finish(struct bm_ranges *ranges)
{
	for (unsigned i = 0; ranges->bounds != NULL && i + 1 < ranges->count; i++) {
		free(ranges->bounds[i]);
	}
	free(ranges->bounds);
	free(ranges->bucket);
	*ranges = (struct bm_ranges){0};
}

static void put_end(const struct bm_verify_column *key, const char *comparison,
		const char *bound, struct bm_strbuf *out)
{
	bm_strbuf_printf(out, "%s%s::%s %s ", out->length > 0 ? " AND " : "", key->name,
			key->type, comparison);
	bm_quote_literal(out, bound);
	bm_strbuf_printf(out, "::%s", key->type);
}

void bm_ranges_condition(const struct bm_ranges *ranges, const struct bm_verify_table *table,
		unsigned first, unsigned last, struct bm_strbuf *out)
{
	if (!ranges->by_order && (first > 0 || last < ranges->count)) {
		bm_strbuf_printf(
				out, "'[%u,%u)'::int4range @> %s", first, last, ranges->bucket);
	}
	if (ranges->by_order && first > 0) {
		put_end(&table->key[0], ">=", ranges->bounds[first - 1], out);
	}
	if (ranges->by_order && last < ranges->count) {
		put_end(&table->key[0], "<", ranges->bounds[last - 1], out);
	}
	/* Where it is no key, on the destination, NULL belongs to the first range. */
	if (ranges->by_order && first == 0 && out->length > 0) {
		char *end = bm_strbuf_detach(out);
		bm_strbuf_printf(out, "(%s OR %s IS NULL)", end, table->key[0].name);
		free(end);
	}
}
