#include "worker/scan/whole.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"
#include "worker/scan/moment.h"
#include "worker/scan/proofs.h"

/* What is read at one moment, about: of the time that a snapshot may live, or that one reading
 * beside applications takes, by a slow server's bytes. */
#define BYTES_OF_MSEC 50000u
#define SHARE_OF_SNAPSHOT 6

/* A part: as many pages as take some seconds. */
#define PART_MSEC 8000
#define PART_SPAN 4
#define FIRST_SPAN 4

/* So often all parts are asked whether they are what they were. */
#define ROUNDS 5

/* Of how much of the table has been read, the first time's share: rounds are quick. */
#define FIRST_SHARE 0.8

/* Places of rows and who wrote them: whatever is written is another row. */
#define MARKS                                                                                  \
	"SELECT 0, count(*), sum(hashtextextended(m, 0)), sum(hashtextextended(m, 1)) FROM "   \
	"(SELECT concat(ctid, ' ', xmin) COLLATE \"C\" AS m FROM ONLY "

struct part {
	uint64_t first, last; /* units, to before `last` */
	struct bm_sum rows[BM_PAIR_SIDES], marks[BM_PAIR_SIDES];
};

struct reading {
	struct bm_scan *scan;
	uint64_t pages[BM_PAIR_SIDES];
	uint64_t units; /* pages of the side that has more; the other one's are as many parts */
	uint64_t size;	/* of a part */
	struct part *parts;
	size_t count;
	unsigned read;	   /* parts, twice those that were read again */
	char *counters[2]; /* of writes: before the round before this one, and before this */
};

/* ---- asking ---- */

static int ask(struct bm_scan *scan, const char *const *sql, struct bm_sum *out,
		struct bm_error *err)
{
	PGresult *rows[BM_PAIR_SIDES];
	struct bm_sums sums;
	int rc = bm_pair_ask(scan->pair->main, sql, 0, NULL, rows, NULL, err);

	bm_sums_init(&sums, 0, 1);
	for (enum bm_pair_side side = 0; rc == 0 && side < BM_PAIR_SIDES; side++) {
		bm_sums_take(&sums, side, rows[side], 1);
		out[side] = *bm_sums_of(&sums, side, 0);
		PQclear(rows[side]);
	}
	bm_sums_finish(&sums);
	return rc;
}

static int ask_rows(struct bm_scan *scan, char *const *conditions, struct bm_sum *out,
		struct bm_error *err)
{
	struct bm_strbuf sql[BM_PAIR_SIDES] = {BM_STRBUF_INIT, BM_STRBUF_INIT};

	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		bm_digest_sums_sql(
				scan->digest, scan->table, "0", conditions[side], &sql[side]);
	}
	const char *const both[] = {bm_strbuf_text(&sql[0]), bm_strbuf_text(&sql[1])};
	int rc = ask(scan, both, out, err);
	bm_strbuf_finish(&sql[0]);
	bm_strbuf_finish(&sql[1]);
	return rc;
}

static int ask_marks(struct bm_scan *scan, char *const *conditions, struct bm_sum *out,
		struct bm_error *err)
{
	char *sql[BM_PAIR_SIDES];

	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		sql[side] = bm_format(MARKS "%s%s%s) x", scan->table->name,
				conditions[side][0] != '\0' ? " WHERE " : "", conditions[side]);
	}
	int rc = ask(scan, (const char *const *)sql, out, err);
	free(sql[0]);
	free(sql[1]);
	return rc;
}

static bool is_same(const struct bm_sum *a, const struct bm_sum *b)
{
	return a->rows == b->rows && a->hashes == b->hashes && a->halves == b->halves;
}

/* ---- a part ---- */

static uint64_t page_of(const struct reading *reading, enum bm_pair_side side, uint64_t unit)
{
	return unit * reading->pages[side] / reading->units;
}

/* Open at both ends: a table may grow. */
static char *condition_of(
		const struct reading *reading, enum bm_pair_side side, const struct part *part)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	if (part->first > 0) {
		bm_strbuf_printf(&sql, "ctid >= '(%" PRIu64 ",0)'::tid",
				page_of(reading, side, part->first));
	}
	if (part->last < reading->units) {
		bm_strbuf_printf(&sql, "%sctid < '(%" PRIu64 ",0)'::tid",
				sql.length > 0 ? " AND " : "",
				page_of(reading, side, part->last));
	}
	return bm_strbuf_detach(&sql);
}

enum what { MARKS_ONLY, ROWS_TOO };

/* One part at a moment of its own. */
static int read_part(struct reading *reading, enum what what, struct part *part,
		uint64_t *took_msec, struct bm_error *err)
{
	struct bm_scan *scan = reading->scan;
	struct bm_moment moment;
	uint64_t begun_msec = bm_clock_msec();
	char *conditions[] = {condition_of(reading, BM_PAIR_SOURCE, part),
			condition_of(reading, BM_PAIR_DESTINATION, part)};
	int rc = bm_moment_begin(scan->pair, scan->table, scan->snapshot_msec, &moment, err);

	if (rc == 0 && what == ROWS_TOO) {
		rc = ask_rows(scan, conditions, part->rows, err);
	}
	if (rc == 0) {
		rc = ask_marks(scan, conditions, part->marks, err);
	}
	bm_moment_end(scan->pair, &moment);
	free(conditions[0]);
	free(conditions[1]);
	*took_msec = bm_clock_msec() - begun_msec;
	scan->longest_msec = *took_msec > scan->longest_msec ? *took_msec : scan->longest_msec;
	return rc;
}

static uint64_t target_msec(const struct bm_scan *scan)
{
	uint64_t most = scan->snapshot_msec / SHARE_OF_SNAPSHOT;

	if (scan->beside != NULL) {
		return scan->beside->batch_msec;
	}
	return most < PART_MSEC ? most : PART_MSEC;
}

static int rest(const struct reading *reading, const struct part *part, uint64_t took_msec,
		struct bm_error *err)
{
	return bm_verify_rest(reading->scan, (unsigned)(part->last - part->first),
			(unsigned)reading->units, took_msec, err);
}

static void tell(const struct reading *reading, uint64_t units, double from, double share)
{
	const struct bm_scan *scan = reading->scan;

	if (scan->on_share != NULL) {
		scan->on_share(scan->ctx,
				from + share * (double)units / (double)reading->units);
	}
}

/* ---- all of them ---- */

static int read_pages(struct reading *reading, struct bm_error *err)
{
	struct bm_scan *scan = reading->scan;

	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		const char *const params[] = {scan->table->name};
		PGresult *rows = bm_pair_ask_one(scan->pair->aside[side],
				"SELECT pg_relation_size($1::regclass)"
				" / current_setting('block_size')::int",
				1, params, err);
		if (rows == NULL) {
			return bm_error_wrap(err, "%s: its pages", bm_pair_side_name(side));
		}
		reading->pages[side] = strtoull(PQgetvalue(rows, 0, 0), NULL, 10);
		PQclear(rows);
	}
	reading->units = reading->pages[0] > reading->pages[1] ? reading->pages[0]
							       : reading->pages[1];
	reading->units = reading->units > 0 ? reading->units : 1;
	uint64_t bytes = target_msec(scan) * BYTES_OF_MSEC / FIRST_SPAN;
	reading->size = scan->table->bytes > bytes ? reading->units * bytes / scan->table->bytes
						   : reading->units;
	reading->size = reading->size > 0 ? reading->size : 1;
	return 0;
}

static int take_counters(struct reading *reading, struct bm_error *err)
{
	free(reading->counters[0]);
	reading->counters[0] = reading->counters[1];
	reading->counters[1] = bm_proofs_counters(
			reading->scan->pair, reading->scan->table, err);
	return reading->counters[1] != NULL ? 0 : -1;
}

static int too_long(const struct bm_scan *scan, struct bm_error *err)
{
	return bm_error_wrap(err,
			"a page of it cannot be read while a snapshot may live (%g s)",
			(double)scan->snapshot_msec / 1000);
}

static void add_part(struct reading *reading, const struct part *part, uint64_t took_msec)
{
	uint64_t target = target_msec(reading->scan);

	reading->parts = bm_realloc(
			reading->parts, reading->count + 1, sizeof(*reading->parts));
	reading->parts[reading->count++] = *part;
	reading->read++;
	if (took_msec < target / PART_SPAN && reading->size < reading->units) {
		reading->size *= 2;
	} else if (took_msec > target && reading->size > 1) {
		reading->size /= 2;
	}
}

static int read_parts(struct reading *reading, struct bm_error *err)
{
	struct part part = {0};
	uint64_t took_msec = 0;

	while (part.last < reading->units) {
		uint64_t first = part.last, left = reading->units - first;
		part = (struct part){.first = first,
				.last = first + (left < reading->size ? left : reading->size)};
		int rc = read_part(reading, ROWS_TOO, &part, &took_msec, err);
		if (rc != 0 && bm_moment_was_too_long(err)) {
			if (part.last - first == 1) {
				return too_long(reading->scan, err);
			}
			reading->size = (part.last - first) / 2;
			part.last = first;
			*err = (struct bm_error)BM_ERROR_INIT;
			continue;
		}
		if (rc != 0 || rest(reading, &part, took_msec, err) != 0) {
			return -1;
		}
		add_part(reading, &part, took_msec);
		tell(reading, part.last, 0, FIRST_SHARE);
	}
	return 0;
}

/* Whether a part is as it was; one that is not is read again. */
static int ask_part(struct reading *reading, struct part *part, bool *has_changed,
		struct bm_error *err)
{
	struct part now = *part;
	uint64_t took_msec = 0;
	int rc = read_part(reading, MARKS_ONLY, &now, &took_msec, err);
	bool same = is_same(&now.marks[0], &part->marks[0]) &&
			is_same(&now.marks[1], &part->marks[1]);

	if (rc == 0 && !same) {
		uint64_t more_msec = 0;
		*has_changed = true;
		reading->read++;
		rc = read_part(reading, ROWS_TOO, part, &more_msec, err);
		took_msec += more_msec;
	}
	if (rc != 0 && bm_moment_was_too_long(err)) {
		return too_long(reading->scan, err);
	}
	return rc == 0 ? rest(reading, part, took_msec, err) : -1;
}

/* What a session wrote is counted late, so a round's counters have to be those of the round
 * before it. */
static int settle(struct reading *reading, struct bm_whole *out, struct bm_error *err)
{
	int rc = 0;

	out->has_moved = true;
	for (int round = 0; rc == 0 && out->has_moved && round < ROUNDS; round++) {
		bool has_changed = false;
		rc = take_counters(reading, err);
		for (size_t i = 0; rc == 0 && i < reading->count; i++) {
			rc = ask_part(reading, &reading->parts[i], &has_changed, err);
			tell(reading, reading->parts[i].last, FIRST_SHARE, 1 - FIRST_SHARE);
		}
		char *now = rc == 0 ? bm_proofs_counters(reading->scan->pair,
						      reading->scan->table, err)
				    : NULL;
		rc = now != NULL ? 0 : -1;
		out->has_moved = rc != 0 || has_changed ||
				strcmp(now, reading->counters[0]) != 0;
		free(now);
	}
	out->is_settled = rc == 0 && !out->has_moved;
	return rc;
}

static int read_in_parts(struct bm_scan *scan, struct bm_whole *out, struct bm_error *err)
{
	struct reading reading = {.scan = scan};
	int rc = read_pages(&reading, err);

	*out = (struct bm_whole){0};
	if (rc == 0) {
		rc = take_counters(&reading, err);
	}
	if (rc == 0) {
		rc = read_parts(&reading, err);
	}
	if (rc == 0) {
		rc = settle(&reading, out, err);
	}
	for (size_t i = 0; i < reading.count; i++) {
		for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
			out->sums[side].rows += reading.parts[i].rows[side].rows;
			out->sums[side].hashes += reading.parts[i].rows[side].hashes;
			out->sums[side].halves += reading.parts[i].rows[side].halves;
		}
	}
	out->parts = (unsigned)reading.count;
	out->read = reading.read;
	free(reading.counters[0]);
	free(reading.counters[1]);
	free(reading.parts);
	return rc;
}

/* ---- at one moment ---- */

static int read_at_once(struct bm_scan *scan, struct bm_whole *out, struct bm_error *err)
{
	static char all[] = "";
	char *const conditions[] = {all, all};
	struct bm_moment moment;
	uint64_t begun_msec = bm_clock_msec();

	*out = (struct bm_whole){.parts = 1, .read = 1};
	int rc = bm_moment_begin(scan->pair, scan->table, scan->snapshot_msec, &moment, err);
	if (rc == 0) {
		rc = ask_rows(scan, conditions, out->sums, err);
	}
	bm_moment_end(scan->pair, &moment);
	uint64_t took_msec = bm_clock_msec() - begun_msec;
	scan->longest_msec = took_msec > scan->longest_msec ? took_msec : scan->longest_msec;
	return rc == 0 ? bm_verify_rest(scan, 1, 1, took_msec, err) : -1;
}

int bm_whole_read(struct bm_scan *scan, struct bm_whole *out, struct bm_error *err)
{
	uint64_t msec = scan->beside != NULL ? scan->beside->batch_msec
					     : scan->snapshot_msec / SHARE_OF_SNAPSHOT;

	if (scan->snapshot_msec > 0 && scan->table->bytes > msec * BYTES_OF_MSEC) {
		return read_in_parts(scan, out, err);
	}
	int rc = read_at_once(scan, out, err);
	if (rc != 0 && bm_moment_was_too_long(err)) {
		*err = (struct bm_error)BM_ERROR_INIT;
		return read_in_parts(scan, out, err);
	}
	return rc;
}
