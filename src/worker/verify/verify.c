/* A whole comparison: the sessions, the hash functions, one object after another, the report.
 */
#include "bucardo_machine/verify.h"

#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "worker/proof/states.h"
#include "worker/verify/object.h"
#include "worker/verify/proofs.h"

#define REPORT_SCHEMA 1

/* Between two looks at rows that were under way, or differed. */
#define ROUND_MSEC 300

/* Sequences of a migration are transferred every few seconds (worker/reconcile). */
#define SEQUENCES_MSEC 15000

/* Keys that are kept for a repair, of all tables. */
#define REPAIR_ROOM 200000

struct run {
	const struct bm_verify_options *options;
	struct bm_pair pair;
	struct bm_verify_catalog catalog;
	struct bm_digest digest;
	struct bm_repair repair;
	const char *migration; /* whose proofs this run keeps; NULL none */
	bool keeps_states;     /* and what it finds of each table (worker/proof) */
	json_t *report, *objects;
	enum bm_proof result;
	uint64_t bytes, bytes_done;	     /* of all tables; of those that are done */
	const struct bm_verify_table *table; /* that is read */
	struct bm_verify_work **works;	     /* one a table; NULL: not begun, or ended */
};

/* ---- the beginning ---- */

/* Both servers have to say the same of the same values. */
static int choose_hash(struct run *run, struct bm_error *err)
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

/* Of a cluster and its copies one number; "" where our role may not ask for it. */
static json_t *system_of(PGconn *conn)
{
	struct bm_error err = BM_ERROR_INIT;
	PGresult *row = bm_pair_ask_one(conn,
			"SELECT system_identifier FROM pg_control_system()", 0, NULL, &err);
	json_t *text = bm_json_text(row != NULL ? PQgetvalue(row, 0, 0) : "");

	PQclear(row);
	return text;
}

/* Two names of one database prove nothing. A standby has another process than its primary. */
static int refuse_itself(PGconn *const *conns, struct bm_error *err)
{
	static const char which[] =
			"SELECT concat_ws(' ', current_database(),"
			" pg_postmaster_start_time()::text, system_identifier::text)"
			" FROM pg_control_system()";
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *one = bm_pair_ask_one(conns[0], which, 0, NULL, &ignored);
	PGresult *other = bm_pair_ask_one(conns[1], which, 0, NULL, &ignored);
	bool same = one != NULL && other != NULL &&
			strcmp(PQgetvalue(one, 0, 0), PQgetvalue(other, 0, 0)) == 0;

	PQclear(one);
	PQclear(other);
	return !same ? 0
		     : bm_error_set(err, BM_ERR_CONFIG,
				       "source and destination are the same database");
}

static json_t *describe(PGconn *conn, struct bm_error *err)
{
	/* What says which database it was, as far as every role may read it. */
	PGresult *row = bm_pair_ask_one(conn,
			"SELECT current_setting('server_version'), datname,"
			" current_setting('server_encoding'), current_user,"
			" coalesce(host(inet_server_addr()), ''), coalesce(inet_server_port(), 0),"
			" datcollate || CASE WHEN datctype <> datcollate THEN ', ' || datctype"
			" ELSE '' END FROM pg_database WHERE datname = current_database()",
			0, NULL, err);

	if (row == NULL) {
		return NULL;
	}
	json_t *side = json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:s, s:o}", "version",
			bm_json_text(PQgetvalue(row, 0, 0)), "database",
			bm_json_text(PQgetvalue(row, 0, 1)), "encoding",
			bm_json_text(PQgetvalue(row, 0, 2)), "role",
			bm_json_text(PQgetvalue(row, 0, 3)), "address",
			bm_json_text(PQgetvalue(row, 0, 4)), "port",
			atoi(PQgetvalue(row, 0, 5)), "collation",
			bm_json_text(PQgetvalue(row, 0, 6)), "host", PQhost(conn),
			"system_identifier", system_of(conn));
	PQclear(row);
	return side;
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

static int begin_repair(struct run *run, struct bm_error *err)
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

/* To be the one who writes down what is proven. */
static int claim(struct run *run, struct bm_error *err)
{
	int own = bm_proofs_claim(&run->pair, run->options->migration, err);
	int kept = own > 0 ? bm_proof_states_are_kept(run->pair.aside[BM_PAIR_SOURCE], err)
			   : own;

	run->migration = own > 0 ? run->options->migration : NULL;
	run->keeps_states = kept > 0;
	return kept < 0 ? -1 : 0;
}

static int begin(struct run *run, struct bm_error *err)
{
	const struct bm_verify_options *options = run->options;

	if (bm_pair_open(&run->pair, options->source, options->destination, err) != 0 ||
			refuse_itself(run->pair.main, err) != 0 ||
			bm_verify_catalog_read(&run->pair, options, &run->catalog, err) != 0 ||
			choose_hash(run, err) != 0) {
		return -1;
	}
	if (options->repair && begin_repair(run, err) != 0) {
		return -1;
	}
	if (options->migration != NULL && claim(run, err) != 0) {
		return bm_error_wrap(err, "source");
	}
	json_t *source = describe(run->pair.main[0], err);
	json_t *destination = source != NULL ? describe(run->pair.main[1], err) : NULL;
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

/* ---- the objects ---- */

static void take(struct run *run, const json_t *object)
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
	struct run *run = ctx;
	double bytes = (double)run->bytes_done + share * (double)run->table->bytes;

	if (run->options->on_progress != NULL) {
		run->options->on_progress(run->options->ctx, run->table->name,
				run->bytes > 0 ? bytes / (double)run->bytes : 1);
	}
}

/* What cannot be written down is found again by the next run. */
static void keep_state(
		struct run *run, const struct bm_verify_table *table, const json_t *object)
{
	struct bm_error err = BM_ERROR_INIT;

	if (run->keeps_states) {
		bm_proof_state_put(run->pair.aside[BM_PAIR_SOURCE], run->migration, object,
				table->pending[BM_PAIR_SOURCE] != NULL, (int64_t)table->bytes,
				&err);
	}
}

static void begin_states(struct run *run)
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

static void end_table(struct run *run, size_t index)
{
	json_t *object = bm_verify_table_end(run->works[index]);

	run->works[index] = NULL;
	keep_state(run, &run->catalog.tables[index], object);
	take(run, object);
	json_array_append_new(run->objects, object);
}

/* What differs is sent again, once, and looked at again; else that was all. */
static void finish_table(struct run *run, size_t index)
{
	const struct bm_verify_options *options = run->options;

	if (!options->repair ||
			!bm_verify_table_repair(
					run->works[index], &run->repair, options->wait_msec)) {
		end_table(run, index);
	}
}

/* Read it, and look once more at what seemed to differ: mostly that is all. */
static void begin_table(struct run *run, size_t index)
{
	const struct bm_verify_table *table = &run->catalog.tables[index];
	const struct bm_scan scan = {.pair = &run->pair,
			.digest = &run->digest,
			.table = table,
			.migration = run->migration,
			.trusting = run->options->trusting,
			.on_share = on_share,
			.ctx = run};

	run->table = table;
	on_share(run, 0);
	run->works[index] = bm_verify_table_begin(
			run->options, &scan, run->options->repair ? &run->repair : NULL);
	if (!bm_verify_table_is_over(run->works[index], false)) {
		bm_verify_table_round(run->works[index]);
	}
	run->bytes_done += table->bytes;
	if (bm_verify_table_is_over(run->works[index], false)) {
		finish_table(run, index);
	}
}

/* Rows under way are waited for, of all tables at once. */
static bool end_tables(struct run *run, bool is_late)
{
	bool any = false;

	for (size_t i = 0; i < run->catalog.count; i++) {
		if (run->works[i] == NULL) {
			continue;
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

static void compare_tables(struct run *run)
{
	run->works = bm_alloc((run->catalog.count + 1) * sizeof(struct bm_verify_work *));
	for (size_t i = 0; i < run->catalog.count; i++) {
		run->bytes += run->catalog.tables[i].bytes;
	}
	begin_states(run);
	for (size_t i = 0; i < run->catalog.count; i++) {
		begin_table(run, i);
	}
	uint64_t deadline_msec = bm_clock_msec() + run->options->wait_msec;
	while (end_tables(run, bm_clock_msec() >= deadline_msec)) {
		poll(NULL, 0, ROUND_MSEC);
	}
	free(run->works);
}

static bool is_known(const struct bm_verify_catalog *catalog, const char *name)
{
	size_t i = 0;

	while (i < catalog->count && strcmp(catalog->tables[i].name, name) != 0) {
		i++;
	}
	return i < catalog->count;
}

/* What was not there at first: nobody has looked at its rows. */
static void tell_new_tables(struct run *run)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_verify_catalog now;

	if (bm_verify_catalog_read(&run->pair, run->options, &now, &err) != 0) {
		json_array_append_new(run->objects,
				bm_verify_object("tables", "made meanwhile", BM_PROOF_UNPROVEN,
						err.message));
	}
	for (size_t i = 0; i < now.count; i++) {
		if (!is_known(&run->catalog, now.tables[i].name)) {
			json_array_append_new(run->objects,
					bm_verify_object("table", now.tables[i].name,
							BM_PROOF_UNPROVEN,
							"it was made while verify ran: verify "
							"it once more"));
		}
	}
	bm_verify_catalog_finish(&now);
}

static void compare_sequences(struct run *run, uint64_t wait_msec)
{
	struct bm_error err = BM_ERROR_INIT;

	if (bm_verify_sequences(&run->pair, wait_msec, run->objects, &err) != 0) {
		json_array_append_new(run->objects,
				bm_verify_object("sequences", "all", BM_PROOF_UNPROVEN,
						err.message));
	}
}

static void compare_all(struct run *run)
{
	compare_tables(run);
	size_t first = json_array_size(run->objects);
	tell_new_tables(run);
	uint64_t wait_msec = run->options->wait_msec;

	if (is_captured(&run->catalog) && wait_msec < SEQUENCES_MSEC) {
		wait_msec = SEQUENCES_MSEC;
	}
	if (run->options->only == NULL) {
		compare_sequences(run, wait_msec);
	}
	bm_verify_schema(&run->pair, run->options, &run->catalog, run->objects);
	if (run->options->only == NULL) {
		bm_verify_large_objects(&run->pair, run->objects);
	}
	for (size_t i = first; i < json_array_size(run->objects); i++) {
		take(run, json_array_get(run->objects, i));
	}
}

json_t *bm_verify_run(const struct bm_verify_options *options, enum bm_proof *result,
		struct bm_error *err)
{
	struct run run = {.options = options};
	int rc = begin(&run, err);

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
	bm_pair_close(&run.pair);
	return run.report;
}
