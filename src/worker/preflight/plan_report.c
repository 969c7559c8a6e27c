/* The parts of the line "plan". */
#include "worker/preflight/plan_report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/kinds.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/transfer.h"
#include "worker/preflight/calibrate.h"
#include "base/protocol/report.h"

/* Tables that are named, biggest first. */
#define NAMED 10

/* Of `copy.jobs`. */
#define MOST_JOBS 64

/* Below this everything takes seconds, and a measurement says nothing. */
#define WORTH_MEASURING ((uint64_t)8 << 20)

/* A sample fits into memory; an index of a big table does not. */
#define INDEX_DOUBT 2.0

/* clang-format off */
static const char works_sql[] =
#include "worker/preflight/sql/plan_works.sql.inc"
;
/* clang-format on */

struct sums {
	unsigned foreign_keys; /* that hold on the source */
	uint64_t bytes, index_bytes, rows, chunks;
	double index_msec; /* of all builds together, by the table of kinds */
	size_t indexes;
	bool whole;		    /* tables of a few chunks are not cut */
	uint64_t pieces[MOST_JOBS]; /* the largest chunks, one a connection, largest first */
	unsigned jobs;
	const struct bm_selected_table *biggest;
	uint64_t biggest_bytes, biggest_rows;
};

/* ---- sizes ---- */

static const struct bm_selected_table *find_table(
		const struct bm_selected *tables, const char *oid)
{
	for (size_t i = 0; i < tables->count; i++) {
		if (strcmp(tables->tables[i].oid, oid) == 0) {
			return &tables->tables[i];
		}
	}
	return NULL;
}

static uint64_t number(const PGresult *rows, int row, int column)
{
	return strtoull(PQgetvalue(rows, row, column), NULL, 10);
}

/* A kill costs what is under way then: at most the largest of all. */
static void add_pieces(struct sums *sums, uint64_t bytes, unsigned count)
{
	for (unsigned n = 0; n < count && n < sums->jobs; n++) {
		unsigned at = sums->jobs;
		while (at > 0 && sums->pieces[at - 1] < bytes) {
			at--;
		}
		for (unsigned i = sums->jobs - 1; at < sums->jobs && i > at; i--) {
			sums->pieces[i] = sums->pieces[i - 1];
		}
		if (at < sums->jobs) {
			sums->pieces[at] = bytes;
		}
	}
}

static uint64_t sum_pieces(const struct sums *sums)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < sums->jobs; i++) {
		sum += sums->pieces[i];
	}
	return sum;
}

static void add_table(const PGresult *rows, int row, const struct bm_selected_table *table,
		json_t *named, struct sums *sums)
{
	uint64_t bytes = number(rows, row, 1), index_bytes = number(rows, row, 2);
	uint64_t count = number(rows, row, 3), indexes = number(rows, row, 4);
	unsigned chunks = table->key[0] != '\0'
			? bm_chunk_count(bytes, BM_TRANSFER_CHUNK_BYTES, sums->whole)
			: 1;

	sums->bytes += bytes;
	sums->index_bytes += index_bytes;
	sums->rows += count;
	sums->chunks += chunks;
	add_pieces(sums, bytes / chunks, chunks);
	sums->indexes += indexes;
	if (sums->biggest == NULL) {
		sums->biggest = table;
		sums->biggest_bytes = bytes;
		sums->biggest_rows = count;
	}
	if (row < NAMED) {
		json_array_append_new(named,
				json_pack("{s:o, s:I, s:I, s:o, s:i}", "name",
						bm_json_text(table->quoted), "bytes",
						(json_int_t)bytes, "index_bytes",
						(json_int_t)index_bytes, "rows",
						PQgetisnull(rows, row, 3)
								? json_null()
								: json_integer((json_int_t)count),
						"chunks", (int)chunks));
	}
}

/* As the copy will find out (transfer.h). */
static bool is_near(struct bm_phase *phase, enum bm_side side)
{
	struct bm_error ignored = BM_ERROR_INIT;
	bool near = false;

	for (unsigned i = 0; i < BM_TRANSFER_QUESTIONS && !near; i++) {
		uint64_t begun_msec = bm_clock_msec();
		near = bm_phase_do(phase, side, "SELECT 1", 0, NULL, &ignored) == 0 &&
				bm_clock_msec() - begun_msec <= BM_TRANSFER_NEAR_MSEC;
	}
	return near;
}

/* Rows are the server's estimate; a table that was never analyzed has none. */
static json_t *tables_json(struct bm_phase *phase, const struct bm_selected *tables,
		const char *oids, struct sums *sums, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(phase, BM_SIDE_SOURCE,
			"SELECT c.oid, pg_table_size(c.oid), pg_indexes_size(c.oid),"
			" CASE WHEN c.reltuples > 0 THEN c.reltuples::bigint"
			"  WHEN pg_relation_size(c.oid) = 0 THEN 0 END, (SELECT count(*) FROM pg_index i"
			"  WHERE i.indrelid = c.oid) + (SELECT count(*) FROM pg_constraint k"
			"  WHERE k.conrelid = c.oid AND k.contype = 'f')"
			" FROM pg_class c WHERE c.oid = ANY ($1::oid[]) ORDER BY 2 DESC, 1",
			1, &oids, err);

	if (rows == NULL) {
		bm_error_wrap(err, "reading the sizes of the tables");
		return NULL;
	}
	json_t *named = json_array();
	for (int row = 0; row < PQntuples(rows); row++) {
		const struct bm_selected_table *table = find_table(
				tables, PQgetvalue(rows, row, 0));
		if (table != NULL) {
			add_table(rows, row, table, named, sums);
		}
	}
	PQclear(rows);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "count", (json_int_t)tables->count,
			"bytes", (json_int_t)sums->bytes, "index_bytes",
			(json_int_t)sums->index_bytes, "rows", (json_int_t)sums->rows,
			"indexes", (json_int_t)sums->indexes, "biggest", named);
}

/* What is built after the rows, each by its kind. */
static int add_objects(struct bm_phase *phase, const char *oids, struct sums *sums,
		struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(phase, BM_SIDE_SOURCE, works_sql, 1, &oids, err);

	if (rows == NULL) {
		return bm_error_wrap(err, "reading the sizes of the indexes");
	}
	for (int row = 0; row < PQntuples(rows); row++) {
		bool is_foreign = strcmp(PQgetvalue(rows, row, 0), "foreign") == 0;
		bool flag = PQgetvalue(rows, row, 4)[0] == 't';
		sums->foreign_keys += is_foreign && flag;
		if (is_foreign && phase->request.trust_keys) {
			continue; /* made on an empty table */
		}
		const struct bm_kind_size size = {number(rows, row, 2), number(rows, row, 1),
				number(rows, row, 3)};
		sums->index_msec += bm_kind_msec(
				bm_kind_named(PQgetvalue(rows, row, 0), flag && !is_foreign),
				&size);
	}
	PQclear(rows);
	return 0;
}

/* ---- locks ---- */

/* clang-format off */
static const struct {
	const char *side, *phase, *statement, *mode, *blocks, *longest;
	bool only_both;
} locks[] = {
{ "source", "schema", "pg_dump, which reads the catalog", "ACCESS SHARE", "ALTER and DROP of tables",
  "some seconds", false },
{ "source", "capture", "CREATE TRIGGER, 8 to 32 tables at a time", "SHARE ROW EXCLUSIVE",
  "writers of these tables, not readers", "waits 0.5 s at most, else tries again later;"
  " held for some milliseconds", false },
{ "source", "copy", "COPY ... TO, one chunk a connection", "ACCESS SHARE",
  "ALTER and DROP of tables", "a chunk; but one snapshot is open for all of the copy, and holds"
  " VACUUM back", false },
{ "source", "replicate", "SELECT of the changed rows", "ACCESS SHARE", "ALTER and DROP of tables",
  "a run, seconds as a rule", false },
{ "source", "replicate", "DELETE and COPY of what was changed on the destination", "ROW EXCLUSIVE",
  "writers of the same rows", "a run, seconds as a rule", true },
{ "destination", "schema to index", "CREATE, COPY, ALTER TABLE", "ACCESS EXCLUSIVE",
  "whoever uses the new tables before they are complete", "a chunk, or the build of an index", false },
{ "destination", "replicate", "DELETE and COPY of the changed rows", "ROW EXCLUSIVE",
  "writers of the same rows", "a run, seconds as a rule", false },
};
/* clang-format on */

static json_t *locks_json(const struct bm_phase *phase)
{
	json_t *array = json_array();

	for (size_t i = 0; i < BM_COUNT_OF(locks); i++) {
		if (locks[i].only_both && !phase->request.is_both) {
			continue;
		}
		json_array_append_new(array,
				json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "side",
						locks[i].side, "phase", locks[i].phase,
						"statement", locks[i].statement, "mode",
						locks[i].mode, "blocks", locks[i].blocks,
						"longest", locks[i].longest));
	}
	return array;
}

/* ---- time ---- */

static json_t *span(double low_sec, double high_sec)
{
	return json_pack("[I, I]", (json_int_t)(low_sec * 1000), (json_int_t)(high_sec * 1000));
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

/*
 * At best reading and writing go on at the same time and all connections help; at
 * worst they share one processor or disk, and it is as if there were one.
 */
static void set_spans(const struct bm_phase *phase, const struct sums *sums,
		const struct bm_speed *speed, json_t *estimate)
{
	double jobs = phase->request.jobs > 0 ? phase->request.jobs : 1;
	double bytes = (double)sums->bytes;
	double limit = phase->request.max_rate > 0 ? bytes / (double)phase->request.max_rate
						   : 0;
	double reading = bytes / speed->read, writing = bytes / speed->write;
	double copying = sums->chunks < jobs ? (double)sums->chunks : jobs;

	json_object_set_new(estimate, "copy_msec",
			span(larger(larger(reading, writing) / copying, limit),
					larger(reading + writing, limit)));
	if (speed->index_ratio > 0) {
		double building = sums->index_msec / 1000 * speed->index_ratio;
		json_object_set_new(estimate, "index_msec",
				span(building / jobs, building * INDEX_DOUBT));
	}
}

static json_t *rate_or_null(double rate)
{
	return rate > 0 ? json_integer((json_int_t)rate) : json_null();
}

static json_t *estimate_json(struct bm_phase *phase, const struct sums *sums)
{
	struct bm_speed speed = {.why = ""};
	json_t *estimate = json_pack("{s:n, s:n}", "copy_msec", "index_msec");

	if (sums->biggest_bytes >= WORTH_MEASURING) {
		bm_calibrate(phase, sums->biggest, sums->biggest_bytes, sums->biggest_rows,
				&speed);
	}
	if (speed.read > 0 && speed.write > 0) {
		set_spans(phase, sums, &speed, estimate);
	} else if (sums->bytes < WORTH_MEASURING * 8 && speed.why[0] == '\0') {
		json_object_set_new(estimate, "copy_msec", span(0, 10));
		json_object_set_new(estimate, "index_msec", span(0, 10));
	}
	json_object_set_new(
			estimate, "sample_bytes", json_integer((json_int_t)speed.sample_bytes));
	json_object_set_new(estimate, "read_rate", rate_or_null(speed.read));
	json_object_set_new(estimate, "write_rate", rate_or_null(speed.write));
	json_object_set_new(estimate, "index_rate", rate_or_null(speed.index));
	json_object_set_new(estimate, "why", bm_json_text(speed.why));
	return estimate;
}

/* ---- the line ---- */

int bm_plan_report(struct bm_phase *phase, const struct bm_selected *tables, const char *oids,
		struct bm_error *err)
{
	unsigned jobs = phase->request.jobs < MOST_JOBS ? phase->request.jobs : MOST_JOBS;
	struct sums sums = {.jobs = jobs > 0 ? jobs : 1,
			.whole = phase->request.max_rate == 0 &&
					is_near(phase, BM_SIDE_SOURCE) &&
					is_near(phase, BM_SIDE_DESTINATION)};
	json_t *sizes = tables_json(phase, tables, oids, &sums, err);

	if (sizes == NULL || add_objects(phase, oids, &sums, err) != 0) {
		json_decref(sizes);
		return -1;
	}
	bm_report_progress(0, 0, "checks", "measuring how fast the servers are");
	json_t *plan = json_pack("{s:o, s:I, s:b, s:I, s:I, s:i, s:I, s:b, s:o, s:o, s:o}",
			"tables", sizes, "foreign_keys", (json_int_t)sums.foreign_keys,
			"trusts_keys", (int)phase->request.trust_keys, "chunks",
			(json_int_t)sums.chunks, "kill_bytes", (json_int_t)sum_pieces(&sums),
			"jobs", (int)phase->request.jobs, "max_rate",
			(json_int_t)phase->request.max_rate, "both", phase->request.is_both,
			"locks", locks_json(phase), "left", bm_plan_left(phase, tables),
			"estimate", estimate_json(phase, &sums));
	bm_report_plan(plan);
	return 0;
}
