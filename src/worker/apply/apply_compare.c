/* The rows of the carried keys on both sides, by sums of hashes; where those differ, row by
 * row. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/apply/internal.h"

/* Tables with differences that are named, and rows that are looked at for them. */
#define NAMED 3
#define ROWS_LIMIT 1000000

/* A statement about the rows of one chunk, for one side. */
typedef void put_sql(const struct bm_apply *apply, const struct bm_verify_table *table,
		size_t place, const char *condition, struct bm_strbuf *out);

static void put_sums(const struct bm_apply *apply, const struct bm_verify_table *table,
		size_t place, const char *condition, struct bm_strbuf *out)
{
	char bucket[24];

	snprintf(bucket, sizeof(bucket), "%zu", place);
	bm_digest_sums_sql(&apply->digest, table, bucket, condition, out);
}

static void put_rows(const struct bm_apply *apply, const struct bm_verify_table *table,
		size_t place, const char *condition, struct bm_strbuf *out)
{
	(void)place;
	bm_digest_rows_sql(&apply->digest, table, condition, ROWS_LIMIT, out);
}

static void add_table(struct bm_apply *apply, size_t place, enum bm_apply_end end, put_sql *put,
		struct bm_pipeline *pipeline)
{
	const struct bm_apply_table *table = &apply->tables[place];
	struct bm_verify_table aliased = *table->verified;
	struct bm_strbuf condition = BM_STRBUF_INIT, sql = BM_STRBUF_INIT;

	aliased.name = bm_format("%s AS bm", table->name);
	bm_apply_condition(table, end, NULL, &condition);
	put(apply, &aliased, place, bm_strbuf_text(&condition), &sql);
	bm_apply_add_path(table, end, pipeline);
	for (size_t i = 0; i < table->carried.count; i++) {
		bm_pipeline_add(pipeline, bm_strbuf_text(&sql), (int)table->key_count,
				(const char *const *)table->carried.list[i].arrays);
	}
	bm_apply_add_usual_path(table, end, pipeline);
	free(aliased.name);
	bm_strbuf_finish(&condition);
	bm_strbuf_finish(&sql);
}

static bool is_comparable(const struct bm_apply_table *table)
{
	return table->carried.count > 0 && table->verified != NULL &&
			table->verified->problem == NULL;
}

/* Both sides are asked at once; only then the answers are waited for. `only`: one table, or
 * all. */
static int ask_both(struct bm_apply *apply, size_t only, put_sql *put,
		struct bm_pipeline *pipelines, struct bm_error *err)
{
	int rc = 0;

	for (enum bm_apply_end end = 0; rc == 0 && end < BM_APPLY_ENDS; end++) {
		rc = bm_pipeline_begin(
				&pipelines[end], apply->conns[end], apply->deadline_msec, err);
		if (rc == 0 && (end == BM_APPLY_TO || !apply->is_callers)) {
			bm_pipeline_add(&pipelines[end], "BEGIN", 0, NULL);
			bm_apply_add_limits(apply, &pipelines[end]);
		}
		for (size_t i = 0; rc == 0 && i < apply->count; i++) {
			if (is_comparable(&apply->tables[i]) &&
					(only == apply->count || only == i)) {
				add_table(apply, i, end, put, &pipelines[end]);
			}
		}
		if (rc == 0 && (end == BM_APPLY_TO || !apply->is_callers)) {
			bm_pipeline_add(&pipelines[end], "COMMIT", 0, NULL);
		}
	}
	for (enum bm_apply_end end = 0; rc == 0 && end < BM_APPLY_ENDS; end++) {
		if (bm_pipeline_end(&pipelines[end], NULL, err) != 0) {
			rc = bm_error_wrap(err, "%s", bm_apply_end_name(apply, end));
		}
	}
	return rc;
}

/* ---- what is the same ---- */

static void finish_both(struct bm_pipeline *pipelines);

/* The answer for the next chunk, from `*place` on: nothing else has four columns. */
static const PGresult *next_sums(const struct bm_pipeline *pipeline, size_t *place)
{
	while (*place < pipeline->count && PQnfields(pipeline->results[*place]) != 4) {
		++*place;
	}
	return *place < pipeline->count ? pipeline->results[(*place)++] : NULL;
}

static bool is_same(const PGresult *a, const PGresult *b)
{
	bool same = a != NULL && b != NULL && PQntuples(a) == PQntuples(b);

	for (int row = 0; same && row < PQntuples(a); row++) {
		for (int column = 0; same && column < PQnfields(a); column++) {
			same = strcmp(PQgetvalue(a, row, column), PQgetvalue(b, row, column)) ==
					0;
		}
	}
	return same;
}

static void drop_same(struct bm_apply *apply, struct bm_apply_table *table,
		const struct bm_pipeline *pipelines, size_t *places)
{
	struct bm_apply_chunks same = {
			.list = bm_alloc((table->carried.count + 1) * sizeof(*same.list))};
	struct bm_apply_chunks *all = &table->carried;
	size_t kept = 0;

	for (size_t i = 0; i < all->count; i++) {
		const PGresult *a = next_sums(&pipelines[BM_APPLY_FROM], &places[0]);
		const PGresult *b = next_sums(&pipelines[BM_APPLY_TO], &places[1]);
		if (is_same(a, b)) {
			same.list[same.count++] = all->list[i];
		} else {
			all->list[kept++] = all->list[i];
		}
	}
	all->count = kept;
	apply->carried_bytes -= bm_apply_chunks_bytes(table, &same);
	bm_apply_chunks_clear(table, &same);
}

int bm_apply_settle(struct bm_apply *apply, uint64_t limit_msec, struct bm_error *err)
{
	struct bm_pipeline pipelines[BM_APPLY_ENDS] = {0};
	size_t places[BM_APPLY_ENDS] = {0};

	apply->deadline_msec = bm_clock_msec() + limit_msec;
	apply->is_callers = false;
	int rc = ask_both(apply, apply->count, put_sums, pipelines, err);
	for (size_t i = 0; rc == 0 && i < apply->count; i++) {
		if (is_comparable(&apply->tables[i])) {
			drop_same(apply, &apply->tables[i], pipelines, places);
		}
	}
	finish_both(pipelines);
	return rc == 0 ? 0 : bm_error_wrap(err, "comparing what was carried so far");
}

/* ---- all of it ---- */

static void finish_both(struct bm_pipeline *pipelines)
{
	bm_pipeline_finish(&pipelines[BM_APPLY_FROM]);
	bm_pipeline_finish(&pipelines[BM_APPLY_TO]);
}

static int sum_up(struct bm_apply *apply, struct bm_sums *sums, struct bm_error *err)
{
	struct bm_pipeline pipelines[BM_APPLY_ENDS] = {0};
	int rc = ask_both(apply, apply->count, put_sums, pipelines, err);

	for (enum bm_apply_end end = 0; rc == 0 && end < BM_APPLY_ENDS; end++) {
		for (size_t i = 0; i < pipelines[end].count; i++) {
			if (PQnfields(pipelines[end].results[i]) == 4) {
				bm_sums_take(sums, bm_apply_side(apply, end),
						pipelines[end].results[i], 1);
			}
		}
	}
	finish_both(pipelines);
	return rc;
}

/* ---- what differs ---- */

struct found {
	uint64_t rows;
	struct bm_strbuf key; /* of the first one */
};

static void record(struct found *found, const PGresult *rows, int row, size_t columns)
{
	for (size_t i = 0; found->rows == 0 && i < columns; i++) {
		bm_strbuf_printf(&found->key, "%s%s", i > 0 ? ", " : "",
				PQgetvalue(rows, row, (int)i));
	}
	found->rows++;
}

/* Both are in the order of their keys. */
static void merge(const PGresult *a, const PGresult *b, size_t columns, struct found *found)
{
	int row_a = 0, row_b = 0;

	while (row_a < PQntuples(a) || row_b < PQntuples(b)) {
		int order = row_a == PQntuples(a) ? 1
				: row_b == PQntuples(b)
				? -1
				: bm_keys_compare_rows(a, row_a, b, row_b, columns);
		if (order < 0) {
			record(found, a, row_a, columns);
		} else if (order > 0) {
			record(found, b, row_b, columns);
		} else if (strcmp(PQgetvalue(a, row_a, (int)columns),
					   PQgetvalue(b, row_b, (int)columns)) != 0) {
			record(found, a, row_a, columns);
		}
		row_a += order <= 0;
		row_b += order >= 0;
	}
}

static int report_table(struct bm_apply *apply, size_t place, struct bm_strbuf *out,
		struct bm_error *err)
{
	struct bm_pipeline pipelines[BM_APPLY_ENDS] = {0};
	struct found found = {0};
	const struct bm_apply_table *table = &apply->tables[place];
	int rc = ask_both(apply, place, put_rows, pipelines, err);
	/* BEGIN and the limits, and a path. */
	size_t before[] = {(apply->is_callers ? 0 : 2) +
					(table->path[BM_APPLY_FROM] != NULL ? 1 : 0),
			2 + (table->path[BM_APPLY_TO] != NULL ? 1 : 0)};

	for (size_t i = 0; rc == 0 && i < table->carried.count; i++) {
		merge(pipelines[BM_APPLY_FROM].results[before[BM_APPLY_FROM] + i],
				pipelines[BM_APPLY_TO].results[before[BM_APPLY_TO] + i],
				table->verified->key_count, &found);
	}
	finish_both(pipelines);
	if (rc == 0) {
		bm_strbuf_printf(out,
				"%s%s: %" PRIu64
				" of the rows that were carried, the first with key (%s)",
				out->length > 0 ? "; " : "", table->name, found.rows,
				bm_strbuf_text(&found.key));
	}
	bm_strbuf_finish(&found.key);
	return rc;
}

static void report_uncompared(const struct bm_apply *apply, struct bm_strbuf *out)
{
	for (size_t i = 0; i < apply->count; i++) {
		const struct bm_apply_table *table = &apply->tables[i];
		if (table->carried.count > 0 && !is_comparable(table)) {
			bm_strbuf_printf(out, "%s%s cannot be compared: %s",
					out->length > 0 ? "; " : "", table->name,
					table->verified != NULL
							? table->verified->problem
							: "it is of another kind on one side");
		}
	}
	if (apply->too_many) {
		bm_strbuf_printf(out, "%smore keys were carried than can be compared",
				out->length > 0 ? "; " : "");
	}
}

static int report_all(struct bm_apply *apply, const struct bm_sums *sums, struct bm_strbuf *out,
		struct bm_error *err)
{
	size_t differing = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < apply->count; i++) {
		if (bm_sums_differ(sums, i) && differing++ < NAMED) {
			rc = report_table(apply, i, out, err);
		}
	}
	if (differing > NAMED) {
		bm_strbuf_printf(out, "; and %zu more tables", differing - NAMED);
	}
	return rc;
}

int bm_apply_compare(struct bm_apply *apply, uint64_t limit_msec, char **difference,
		struct bm_error *err)
{
	struct bm_sums sums;
	struct bm_strbuf text = BM_STRBUF_INIT;

	*difference = NULL;
	apply->deadline_msec = bm_clock_msec() + limit_msec;
	apply->is_callers = PQtransactionStatus(apply->conns[BM_APPLY_FROM]) == PQTRANS_INTRANS;
	bm_sums_init(&sums, 0, apply->count);
	int rc = sum_up(apply, &sums, err);
	if (rc == 0) {
		report_uncompared(apply, &text);
		rc = report_all(apply, &sums, &text, err);
	}
	if (rc == 0 && text.length > 0) {
		*difference = bm_strbuf_detach(&text);
	}
	bm_sums_finish(&sums);
	bm_strbuf_finish(&text);
	return rc == 0 ? 0 : bm_error_wrap(err, "comparing what was carried");
}
