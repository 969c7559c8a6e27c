/* A whole comparison: the sessions, the hash functions, one object after another, the report.
 */
#include "worker/verify/run.h"

#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "worker/proof/states.h"
#include "worker/verify/objects.h"

#define REPORT_SCHEMA 1

/* Between two looks at rows that were under way, or differed. */
#define ROUND_MSEC 300

/* The same beside applications. */
#define ROUND_BESIDE_MSEC 1000

/* Sequences of a migration are transferred every few seconds (worker/reconcile). */
#define SEQUENCES_MSEC 15000

/* Keys that are kept for a repair, of all tables. */
#define REPAIR_ROOM 200000

/* Rows that wait for another look, of one table and of all, while others are read. */
#define WAITING_OF_TABLE 10000
#define WAITING_OF_ALL 100000
#define ROUNDS_AT_ONCE 3

/* Memory for rows that are named. */
#define NAMED_BYTES ((size_t)12 << 20)

/* ---- the beginning ---- */

/* Both servers have to say the same of the same values. */
static int choose_hash(struct bm_run *run, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;
	PGresult *rows[BM_PAIR_SIDES];

	run->digest.portable = run->options->portable_hash;
	run->digest.same_encoding = run->catalog.same_encoding;
	run->digest.converted = run->catalog.converted;
	if (run->digest.portable) {
		return 0;
	}
	bm_digest_probe_sql(&sql);
	const char *const both[] = {bm_strbuf_text(&sql), bm_strbuf_text(&sql)};
	int rc = bm_pair_ask(run->pair.main, both, 0, NULL, rows, NULL, err);
	bm_strbuf_finish(&sql);
	if (rc != 0) {
		return bm_error_wrap(err, "trying the hash functions");
	}
	for (int i = 0; i < PQnfields(rows[0]); i++) {
		run->digest.portable = run->digest.portable ||
				strcmp(PQgetvalue(rows[0], 0, i), PQgetvalue(rows[1], 0, i)) !=
						0;
	}
	PQclear(rows[0]);
	PQclear(rows[1]);
	return 0;
}

static json_t *time_now(void)
{
	char text[BM_CLOCK_TEXT_SIZE];

	return json_string(bm_clock_format(bm_clock_wall_msec(), text));
}

static bool is_captured(const struct bm_verify_catalog *catalog)
{
	bool captured = false;

	for (size_t i = 0; i < catalog->count; i++) {
		captured = captured || catalog->tables[i].pending[BM_PAIR_SOURCE] != NULL;
	}
	return captured;
}

static int begin_repair(struct bm_run *run, struct bm_error *err)
{
	run->repair = (struct bm_repair){.pair = &run->pair,
			.migration = run->options->migration,
			.deletes_extra = run->options->delete_extra,
			.room = REPAIR_ROOM};
	if (!is_captured(&run->catalog)) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"nothing can be repaired: rows are sent again through a migration "
				"that replicates, and none captures one of these tables (or it "
				"is paused); a table without a key: copy it again while nobody "
				"writes");
	}
	return bm_repair_begin(&run->repair, err);
}

static int begin(struct bm_run *run, struct bm_error *err)
{
	const struct bm_verify_options *options = run->options;

	if (bm_pair_open(&run->pair, options->source, options->destination, err) != 0) {
		return -1;
	}
	run->was_open = true;
	if (bm_pair_refuse_itself(&run->pair, err) != 0 ||
			bm_verify_catalog_read(&run->pair, options, &run->catalog, err) != 0 ||
			choose_hash(run, err) != 0) {
		return -1;
	}
	if (options->repair && begin_repair(run, err) != 0) {
		return -1;
	}
	if (bm_run_claim(run, err) != 0) {
		return -1;
	}
	json_t *source = bm_pair_describe(run->pair.main[0], err);
	json_t *destination = source != NULL ? bm_pair_describe(run->pair.main[1], err) : NULL;
	if (destination == NULL) {
		json_decref(source);
		return -1;
	}
	run->objects = json_array();
	run->report = json_pack("{s:i, s:o, s:o, s:o, s:s, s:o}", "schema", REPORT_SCHEMA,
			"begun", time_now(), "source", source, "destination", destination,
			"hash", run->digest.portable ? "sha256" : "native", "objects",
			run->objects);
	return 0;
}

/* Before anything is compared all of it can be done again. */
static int begin_with_sessions(struct bm_run *run, struct bm_error *err)
{
	int rc = begin(run, err);

	while (rc != 0 && run->was_open && bm_pair_is_lost(&run->pair) &&
			bm_run_may_reopen(run)) {
		bm_pair_close(&run->pair);
		bm_verify_catalog_finish(&run->catalog);
		run->catalog = (struct bm_verify_catalog){0};
		uint64_t begun_msec = bm_clock_msec();
		bm_run_pause(run);
		rc = begin(run, err);
		run->reopen_msec += bm_clock_msec() - begun_msec;
	}
	return rc;
}

/* ---- the objects ---- */

static void take(struct bm_run *run, const json_t *object)
{
	enum bm_proof proof = bm_proof_named(
			json_string_value(json_object_get(object, "state")));

	run->result = proof > run->result ? proof : run->result;
	if (run->options->on_object != NULL) {
		run->options->on_object(run->options->ctx, object);
	}
}

static void on_share(void *ctx, double share)
{
	struct bm_run *run = ctx;
	double bytes = (double)run->bytes_done + share * (double)run->table->bytes;

	if (run->options->on_progress != NULL) {
		run->options->on_progress(run->options->ctx, run->table->name,
				run->bytes > 0 ? bytes / (double)run->bytes : 1);
	}
}

/* What cannot be written down is found again by the next run. */
static void keep_state(
		struct bm_run *run, const struct bm_verify_table *table, const json_t *object)
{
	struct bm_error err = BM_ERROR_INIT;

	if (bm_run_has_sessions(run) && run->keeps_states) {
		bm_proof_state_put(run->pair.aside[BM_PAIR_SOURCE], run->migration, object,
				table->pending[BM_PAIR_SOURCE] != NULL, (int64_t)table->bytes,
				&err);
	}
}

static void begin_states(struct bm_run *run)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *tables = json_array();

	for (size_t i = 0; i < run->catalog.count; i++) {
		const struct bm_verify_table *table = &run->catalog.tables[i];
		json_array_append_new(tables,
				json_pack("{s:s, s:o, s:I}", "kind", bm_verify_kind(table),
						"name", bm_json_text(table->name), "bytes",
						(json_int_t)table->bytes));
	}
	if (run->keeps_states && run->options->only == NULL) {
		bm_proof_states_begin(
				run->pair.aside[BM_PAIR_SOURCE], run->migration, tables, &err);
	}
	json_decref(tables);
}

static void end_table(struct bm_run *run, size_t index)
{
	json_t *object = bm_verify_table_end(run->works[index]);

	run->works[index] = NULL;
	if (bm_run_is_ended(run)) { /* nothing is known of it */
		json_decref(object);
		return;
	}
	bm_verify_objects_hold(run, &run->catalog.tables[index], object);
	keep_state(run, &run->catalog.tables[index], object);
	take(run, object);
	json_array_append_new(run->objects, object);
}

/* What differs is sent again, once, and looked at again; else that was all. */
static void finish_table(struct bm_run *run, size_t index)
{
	const struct bm_verify_options *options = run->options;

	if (!options->repair ||
			!bm_verify_table_repair(
					run->works[index], &run->repair, options->wait_msec)) {
		end_table(run, index);
	}
}

static uint64_t round_msec(const struct bm_run *run)
{
	return run->options->beside != NULL ? ROUND_BESIDE_MSEC : ROUND_MSEC;
}

/* Memory is bounded whatever differs: many rows do not wait until all tables are read. */
static void settle_many(struct bm_run *run, size_t index)
{
	struct bm_verify_work *work = run->works[index];
	size_t all = 0;

	for (int round = 0; round < ROUNDS_AT_ONCE && !bm_verify_table_is_over(work, false) &&
			bm_verify_table_suspects(work) > WAITING_OF_TABLE;
			round++) {
		poll(NULL, 0, (int)round_msec(run));
		bm_verify_table_round(work);
	}
	for (size_t i = 0; i <= index; i++) {
		all += run->works[i] != NULL ? bm_verify_table_suspects(run->works[i]) : 0;
	}
	if (all > WAITING_OF_ALL && !bm_verify_table_is_over(work, false)) {
		bm_verify_table_leave_pending(work);
	}
}

/* Read it, and look once more at what seemed to differ: mostly that is all. */
static void begin_table(struct bm_run *run, size_t index)
{
	const struct bm_verify_table *table = &run->catalog.tables[index];
	bm_run_open_more(run);
	struct bm_scan scan = {.pair = &run->pair,
			.more = run->more,
			.more_count = run->more_count,
			.snapshot_msec = run->options->snapshot_msec > 0
					? run->options->snapshot_msec
					: BM_VERIFY_SNAPSHOT_MSEC,
			.digest = &run->digest,
			.table = table,
			.migration = run->migration,
			.trusting = run->options->trusting,
			.beside = run->options->beside,
			.on_share = on_share,
			.ctx = run};

	run->table = table;
	on_share(run, 0);
	struct bm_repair *repair = run->options->repair ? &run->repair : NULL;
	run->works[index] = bm_verify_table_begin(
			run->options, &scan, repair, &run->named_bytes);
	while (bm_verify_table_is_lost(run->works[index]) && bm_run_has_sessions(run)) {
		/* What was proven by then is not read again. */
		scan.migration = run->migration;
		json_decref(bm_verify_table_end(run->works[index]));
		run->works[index] = bm_verify_table_begin(
				run->options, &scan, repair, &run->named_bytes);
	}
	if (!bm_verify_table_is_over(run->works[index], false)) {
		bm_verify_table_round(run->works[index]);
	}
	settle_many(run, index);
	run->bytes_done += table->bytes;
	if (bm_verify_table_is_over(run->works[index], false)) {
		finish_table(run, index);
	}
}

/* Rows under way are waited for, of all tables at once. */
static bool end_tables(struct bm_run *run, bool is_late)
{
	bool any = false;

	for (size_t i = 0; i < run->catalog.count; i++) {
		if (run->works[i] == NULL) {
			continue;
		}
		if (bm_run_is_ended(run) || !bm_run_has_sessions(run)) {
			bm_verify_table_give_up(run->works[i]);
		}
		if (!bm_verify_table_is_over(run->works[i], is_late)) {
			bm_verify_table_round(run->works[i]);
		}
		if (bm_verify_table_is_over(run->works[i], is_late)) {
			finish_table(run, i);
		}
		any = any || run->works[i] != NULL;
	}
	return any;
}

/* Beside applications not all of them are. */
static bool is_due(const struct bm_run *run, const struct bm_verify_table *table)
{
	const struct bm_verify_beside *beside = run->options->beside;

	return beside == NULL || table->problem != NULL ||
			beside->is_due(beside->ctx, table->name, table->key_count > 0);
}

/* Whether it is to go on; ranges that were read have had their rest. */
static void rest_after_table(struct bm_run *run)
{
	struct bm_verify_beside *beside = run->options->beside;

	if (beside != NULL && !beside->is_ended) {
		beside->is_ended = !beside->rest(beside->ctx, 0, 0);
	}
}

static void compare_tables(struct bm_run *run)
{
	run->works = bm_alloc((run->catalog.count + 1) * sizeof(struct bm_verify_work *));
	for (size_t i = 0; i < run->catalog.count; i++) {
		run->bytes += run->catalog.tables[i].bytes;
	}
	begin_states(run);
	for (size_t i = 0; i < run->catalog.count && !bm_run_is_ended(run); i++) {
		if (is_due(run, &run->catalog.tables[i])) {
			begin_table(run, i);
			rest_after_table(run);
		}
	}
	uint64_t deadline_msec = bm_clock_msec() + run->options->wait_msec;
	while (end_tables(run, bm_clock_msec() >= deadline_msec)) {
		poll(NULL, 0, (int)round_msec(run));
		rest_after_table(run);
	}
	free(run->works);
}

static void compare_sequences(struct bm_run *run, uint64_t wait_msec)
{
	struct bm_error err = BM_ERROR_INIT;

	if (bm_verify_sequences(&run->pair, run->options->migration, wait_msec, NULL,
			    run->objects, &err) != 0) {
		json_array_append_new(run->objects,
				bm_verify_object("sequences", "all", BM_PROOF_UNPROVEN,
						err.message));
	}
}

/* Sequences, definitions and large objects; what is found of all of them is kept. */
static void compare_others(struct bm_run *run, uint64_t wait_msec)
{
	size_t sequences = json_array_size(run->objects);

	if (run->options->only != NULL) {
		bm_verify_schema(&run->pair, run->options, &run->catalog, run->objects);
		return;
	}
	compare_sequences(run, wait_msec);
	size_t definitions = json_array_size(run->objects);
	bm_verify_schema(&run->pair, run->options, &run->catalog, run->objects);
	size_t large = json_array_size(run->objects);
	bm_verify_large_objects(&run->pair, NULL, run->objects);
	bm_verify_objects_keep(run, BM_PART_SEQUENCES, sequences, definitions);
	bm_verify_objects_keep(run, BM_PART_DEFINITIONS, definitions, large);
	bm_verify_objects_keep(
			run, BM_PART_LARGE_OBJECTS, large, json_array_size(run->objects));
}

static void compare_all(struct bm_run *run)
{
	compare_tables(run);
	if (run->options->beside != NULL) {
		bm_verify_objects_pass(run);
		return;
	}
	size_t first = json_array_size(run->objects);
	bm_run_has_sessions(run);
	bm_verify_new_tables(&run->pair, run->options, &run->catalog, run->objects);
	uint64_t wait_msec = run->options->wait_msec;

	if (is_captured(&run->catalog) && wait_msec < SEQUENCES_MSEC) {
		wait_msec = SEQUENCES_MSEC;
	}
	compare_others(run, wait_msec);
	for (size_t i = first; i < json_array_size(run->objects); i++) {
		take(run, json_array_get(run->objects, i));
	}
}

json_t *bm_verify_run(const struct bm_verify_options *options, enum bm_proof *result,
		struct bm_error *err)
{
	struct bm_run run = {.options = options, .named_bytes = NAMED_BYTES};
	int rc = begin_with_sessions(&run, err);

	if (rc == 0) {
		compare_all(&run);
	}
	if (rc == 0) {
		json_object_set_new(run.report, "ended", time_now());
		json_object_set_new(
				run.report, "result", json_string(bm_proof_name(run.result)));
		*result = run.result;
	} else {
		json_decref(run.report);
		run.report = NULL;
	}
	bm_verify_catalog_finish(&run.catalog);
	bm_run_close_more(&run);
	bm_pair_close(&run.pair);
	return run.report;
}
