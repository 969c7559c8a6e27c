#include "worker/scan/batch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"

/* Rows that are listed at once, of one side. */
#define LISTED_MOST 40000 /* of all readers */

/* A bucket of more rows is read in parts: of about so many rows, by other bits of the keys'
 * hashes than ranges.c takes. */
#define PART_ROWS 4096u
#define PARTS_MOST 65536u
#define PARTS_SHIFT 20

/* What lists of both sides may hold, if keys are as wide as rows. */
#define LISTED_BYTES ((uint64_t)8 << 20)
#define LISTED_LEAST 200

struct batch {
	unsigned first, last; /* buckets, to before `last` */
	char *condition;      /* SQL */
	char at[BM_CLOCK_TEXT_SIZE];
	uint64_t begun_msec;
	struct bm_moment moment;
	struct bm_sums sums;
};

static int ask_sums(struct bm_scan *scan, const struct bm_ranges *ranges, struct batch *batch,
		const char *condition, int count, const char *const *params, int sign,
		struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;
	PGresult *rows[BM_PAIR_SIDES];

	bm_digest_sums_sql(scan->digest, scan->table, ranges->bucket, condition, &sql);
	const char *const both[] = {bm_strbuf_text(&sql), bm_strbuf_text(&sql)};
	int rc = bm_pair_ask(scan->pair->main, both, count, params, rows, NULL, err);
	bm_strbuf_finish(&sql);
	for (enum bm_pair_side side = 0; rc == 0 && side < BM_PAIR_SIDES; side++) {
		bm_sums_take(&batch->sums, side, rows[side], sign);
		PQclear(rows[side]);
	}
	return rc;
}

/* Rows that are under way are taken off the sums of both sides, by their keys. */
static int take_pending_off(struct bm_scan *scan, const struct bm_ranges *ranges,
		struct batch *batch, struct bm_error *err)
{
	struct bm_strbuf condition = BM_STRBUF_INIT;
	const struct bm_keys *pending = &batch->moment.pending;
	char *params[BM_KEYS_COLUMNS];

	if (pending->count == 0) {
		return 0;
	}
	bm_strbuf_printf(&condition, "%s%s", batch->condition,
			batch->condition[0] != '\0' ? " AND " : "");
	bm_digest_keys_condition(scan->table, 1, &condition);
	bm_keys_params(pending, 0, pending->count, params);
	int rc = ask_sums(scan, ranges, batch, bm_strbuf_text(&condition),
			(int)pending->columns, (const char *const *)params, -1, err);
	bm_keys_free_params(pending, params);
	bm_strbuf_finish(&condition);
	return rc;
}

/* Keys of texts may be as wide as rows. */
static unsigned listed_most(const struct bm_scan *scan)
{
	const struct bm_verify_table *table = scan->table;
	uint64_t most = LISTED_MOST / scan->readers, bytes = LISTED_BYTES / scan->readers;

	for (size_t i = 0; i < table->key_count; i++) {
		if (table->key[i].way == BM_WAY_INT || table->key[i].way == BM_WAY_UUID) {
			continue;
		}
		uint64_t width = table->bytes / (table->rows + 1) + 1;
		most = bytes / width < most ? bytes / width : most;
	}
	return (unsigned)(most > LISTED_LEAST ? most : LISTED_LEAST);
}

static void suspect(struct bm_scan *scan, const PGresult *rows, int row)
{
	scan->too_many = !bm_keys_add(&scan->suspects, rows, row) || scan->too_many;
}

/* Two lists in one order; where one was cut, what is beyond its end is not judged. */
static void compare_lists(struct bm_scan *scan, PGresult *const *rows)
{
	size_t columns = scan->table->key_count;
	int counts[] = {PQntuples(rows[0]), PQntuples(rows[1])}, at[] = {0, 0};
	int most = (int)listed_most(scan);
	bool cut[] = {counts[0] == most, counts[1] == most};

	while (!scan->too_many && (at[0] < counts[0] || at[1] < counts[1])) {
		bool skipped[] = {bm_null_rows_take(&scan->nulls[0], rows[0], at[0], columns),
				bm_null_rows_take(&scan->nulls[1], rows[1], at[1], columns)};
		if (skipped[0] || skipped[1]) {
			at[0] += skipped[0];
			at[1] += skipped[1];
			continue;
		}
		bool ended[] = {at[0] == counts[0], at[1] == counts[1]};
		if ((ended[0] && cut[0]) || (ended[1] && cut[1])) {
			break;
		}
		int order = ended[0] ? 1
				: ended[1]
				? -1
				: bm_keys_compare_rows(rows[0], at[0], rows[1], at[1], columns);
		if (order != 0) {
			suspect(scan, rows[order > 0], at[order > 0]);
		} else if (strcmp(PQgetvalue(rows[0], at[0], (int)columns),
					   PQgetvalue(rows[1], at[1], (int)columns)) != 0) {
			suspect(scan, rows[0], at[0]);
		}
		at[0] += order <= 0;
		at[1] += order >= 0;
	}
	scan->too_many = scan->too_many || cut[0] || cut[1];
}

/* A list that names no suspect, or lacks rows that were summed up, explains nothing. Rows under
 * way are in the list and not in the sums. */
static void check_list(struct bm_scan *scan, const struct batch *batch, PGresult *const *rows,
		const int64_t *expected, size_t suspects_before)
{
	bool complete = batch->moment.pending.count > 0 ||
			(PQntuples(rows[0]) == expected[0] &&
					PQntuples(rows[1]) == expected[1]);

	if (!scan->too_many &&
			(!complete ||
					(scan->suspects.count == suspects_before &&
							!bm_null_rows_differ(&scan->nulls[0],
									&scan->nulls[1])))) {
		scan->unlisted = true;
	}
}

/* List the rows of these buckets ("{3,7}") on both sides, where so many are expected. */
static int list_buckets(struct bm_scan *scan, const struct bm_ranges *ranges,
		const struct batch *batch, const char *buckets, const int64_t *expected,
		struct bm_error *err)
{
	size_t suspects_before = scan->suspects.count;
	struct bm_strbuf condition = BM_STRBUF_INIT, sql = BM_STRBUF_INIT;
	PGresult *rows[BM_PAIR_SIDES];

	bm_strbuf_printf(&condition, "%s%s%s = ANY ('{%s}'::int[])", batch->condition,
			batch->condition[0] != '\0' ? " AND " : "", ranges->bucket, buckets);
	bm_digest_rows_sql(scan->digest, scan->table, bm_strbuf_text(&condition),
			listed_most(scan), &sql);
	const char *const both[] = {bm_strbuf_text(&sql), bm_strbuf_text(&sql)};
	int rc = bm_pair_ask(scan->pair->main, both, 0, NULL, rows, NULL, err);
	if (rc == 0) {
		compare_lists(scan, rows);
		check_list(scan, batch, rows, expected, suspects_before);
		PQclear(rows[0]);
		PQclear(rows[1]);
	}
	bm_strbuf_finish(&condition);
	bm_strbuf_finish(&sql);
	return rc;
}

static int64_t rows_of(const struct bm_sums *sums, unsigned bucket)
{
	int64_t source = bm_sums_of(sums, BM_PAIR_SOURCE, bucket)->rows;
	int64_t other = bm_sums_of(sums, BM_PAIR_DESTINATION, bucket)->rows;

	return source > other ? source : other;
}

static int list_differing(struct bm_scan *scan, const struct bm_ranges *ranges,
		const struct batch *batch, bool is_part, struct bm_error *err);

/* A bucket of too many rows to list, as where the first column of a key has few values: its
 * parts, by the keys' hashes. */
static int list_parts(struct bm_scan *scan, const struct bm_ranges *ranges,
		const struct batch *batch, unsigned bucket, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;
	struct bm_ranges parts = {.count = 2};
	struct batch part = {.moment = batch->moment, .begun_msec = batch->begun_msec};
	unsigned rows = listed_most(scan) / 4 < PART_ROWS ? listed_most(scan) / 4 : PART_ROWS;

	while (parts.count < PARTS_MOST &&
			(int64_t)parts.count * rows < rows_of(&batch->sums, bucket)) {
		parts.count *= 2;
	}
	part.last = parts.count;
	bm_digest_key_bucket(scan->digest, scan->table, PARTS_SHIFT, parts.count, &sql);
	parts.bucket = bm_strbuf_detach(&sql);
	part.condition = bm_format("%s%s%s = %u", batch->condition,
			batch->condition[0] != '\0' ? " AND " : "", ranges->bucket, bucket);
	bm_sums_init(&part.sums, 0, parts.count);
	int rc = ask_sums(scan, &parts, &part, part.condition, 0, NULL, 1, err);
	if (rc == 0) {
		rc = take_pending_off(scan, &parts, &part, err);
	}
	if (rc == 0) {
		rc = list_differing(scan, &parts, &part, true, err);
	}
	bm_sums_finish(&part.sums);
	free(part.condition);
	free(parts.bucket);
	return rc;
}

/* Its snapshot has no time for another statement. */
static bool is_old(const struct bm_scan *scan, const struct batch *batch)
{
	return scan->snapshot_msec > 0 &&
			bm_clock_msec() - batch->begun_msec > scan->snapshot_msec / 3 * 2;
}

/* As the server says it of a statement. */
static int too_old(struct bm_error *err)
{
	bm_error_set(err, BM_ERR_SQL, "listing its rows took too long");
	bm_text_copy(err->sqlstate, sizeof(err->sqlstate), "57014");
	return -1;
}

struct listing { /* buckets that are listed together */
	struct bm_strbuf buckets;
	int64_t rows, expected[BM_PAIR_SIDES];
};

static int list_them(struct bm_scan *scan, const struct bm_ranges *ranges,
		const struct batch *batch, struct listing *listing, struct bm_error *err)
{
	int rc = listing->buckets.length == 0 || scan->too_many ? 0
			: is_old(scan, batch)
			? too_old(err)
			: list_buckets(scan, ranges, batch, bm_strbuf_text(&listing->buckets),
					  listing->expected, err);

	bm_strbuf_finish(&listing->buckets);
	*listing = (struct listing){.buckets = BM_STRBUF_INIT};
	return rc;
}

static void add_bucket(struct listing *listing, const struct batch *batch, unsigned bucket)
{
	bm_strbuf_printf(&listing->buckets, "%s%u", listing->buckets.length > 0 ? "," : "",
			bucket);
	listing->rows += rows_of(&batch->sums, bucket);
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		listing->expected[side] += bm_sums_of(&batch->sums, side, bucket)->rows;
	}
}

/* Some buckets that differ at a time, no more rows than are listed at once. */
static int list_differing(struct bm_scan *scan, const struct bm_ranges *ranges,
		const struct batch *batch, bool is_part, struct bm_error *err)
{
	struct listing listing = {.buckets = BM_STRBUF_INIT};
	int64_t most = listed_most(scan) / 2;
	int rc = 0;

	for (unsigned i = batch->first; rc == 0 && i < batch->last; i++) {
		if (!bm_sums_differ(&batch->sums, i)) {
			continue;
		}
		scan->differing += !is_part;
		int64_t rows = rows_of(&batch->sums, i);
		if (rows > most && !is_part) {
			rc = scan->too_many ? 0 : list_parts(scan, ranges, batch, i, err);
			continue;
		}
		rc = listing.rows + rows > most ? list_them(scan, ranges, batch, &listing, err)
						: 0;
		add_bucket(&listing, batch, i);
	}
	if (rc == 0) {
		rc = list_them(scan, ranges, batch, &listing, err);
	}
	bm_strbuf_finish(&listing.buckets);
	return rc;
}

static void count_rows(struct bm_scan *scan, const struct batch *batch)
{
	for (unsigned i = batch->first; i < batch->last; i++) {
		scan->rows[0] += bm_sums_of(&batch->sums, BM_PAIR_SOURCE, i)->rows;
		scan->rows[1] += bm_sums_of(&batch->sums, BM_PAIR_DESTINATION, i)->rows;
	}
	scan->read += batch->last - batch->first;
}

/* Of a bucket that is equal but for rows under way: those are pending until they are purged,
 * and then its proof is marked. */
static int add_proofs(struct bm_scan *scan, const struct bm_proofs *proofs,
		const struct batch *batch, struct bm_error *err)
{
	struct bm_strbuf buckets = BM_STRBUF_INIT, rows = BM_STRBUF_INIT;
	int rc = 0;

	for (unsigned i = batch->first; i < batch->last; i++) {
		const char *separator = buckets.length > 0 ? "," : "{";
		if (!bm_sums_differ(&batch->sums, i)) {
			bm_strbuf_printf(&buckets, "%s%u", separator, i);
			bm_strbuf_printf(&rows, "%s%" PRId64, separator,
					bm_sums_of(&batch->sums, BM_PAIR_SOURCE, i)->rows);
		}
	}
	if (proofs->migration != NULL && buckets.length > 0) {
		bm_strbuf_puts(&buckets, "}");
		bm_strbuf_puts(&rows, "}");
		rc = bm_proofs_add(scan->pair, proofs, scan->table, bm_strbuf_text(&buckets),
				bm_strbuf_text(&rows), batch->at, err);
	}
	bm_strbuf_finish(&buckets);
	bm_strbuf_finish(&rows);
	return rc;
}

/* Each moment has them again. */
static void suspect_pending(struct bm_scan *scan, const struct bm_keys *pending)
{
	if (scan->suspects.count + pending->count > BM_KEYS_MOST) {
		bm_keys_sort(&scan->suspects);
	}
	scan->too_many = !bm_keys_add_all(&scan->suspects, pending) || scan->too_many;
}

static int read_batch(struct bm_scan *scan, const struct bm_ranges *ranges, struct batch *batch,
		struct bm_error *err)
{
	int rc = ask_sums(scan, ranges, batch, batch->condition, 0, NULL, 1, err);

	if (rc == 0) {
		count_rows(scan, batch);
		rc = take_pending_off(scan, ranges, batch, err);
	}
	if (rc == 0 && !scan->too_many) {
		rc = list_differing(scan, ranges, batch, false, err);
	}
	return rc;
}

int bm_batch_run(struct bm_scan *scan, const struct bm_ranges *ranges,
		const struct bm_proofs *proofs, unsigned first, unsigned last,
		struct bm_error *err)
{
	struct bm_strbuf condition = BM_STRBUF_INIT;
	struct batch batch = {.first = first, .last = last, .begun_msec = bm_clock_msec()};
	bool reads = false;

	bm_clock_format(bm_clock_wall_msec(), batch.at);
	if (first < last) {
		bm_ranges_condition(ranges, scan->table, first, last, &condition);
	}
	batch.condition = bm_strbuf_detach(&condition);
	bm_sums_init(&batch.sums, first, last - first);
	int rc = first < last && proofs->migration != NULL
			? bm_proofs_forget(scan->pair, proofs, scan->table, first, last, err)
			: 0;
	if (rc == 0) {
		rc = bm_moment_begin(scan->pair, scan->table, scan->snapshot_msec,
				&batch.moment, err);
	}
	scan->truncated = scan->truncated || batch.moment.truncated;
	scan->too_many_pending = scan->too_many_pending || batch.moment.too_many;
	if (rc == 0 && !batch.moment.too_many && !batch.moment.truncated) {
		reads = first < last;
		rc = reads ? read_batch(scan, ranges, &batch, err) : 0;
		suspect_pending(scan, &batch.moment.pending);
		if (!scan->has_applied) {
			suspect_pending(scan, &batch.moment.applied);
			scan->has_applied = true;
		}
	}
	bm_moment_end(scan->pair, &batch.moment);
	if (rc == 0 && reads) {
		rc = add_proofs(scan, proofs, &batch, err);
	}
	bm_sums_finish(&batch.sums);
	free(batch.condition);
	uint64_t took_msec = bm_clock_msec() - batch.begun_msec;
	scan->longest_msec = took_msec > scan->longest_msec ? took_msec : scan->longest_msec;
	return rc;
}
