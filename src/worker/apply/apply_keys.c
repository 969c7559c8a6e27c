/* What waits on `from`: one round trip that asks all tables, one that takes keys of some. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/apply/internal.h"
#include "worker/session/ask.h"

/* clang-format off */
static const char state_sql[] =
#include "worker/deltas/sql/apply_state.sql.inc"
;
static const char definition_sql[] =
#include "worker/verify/sql/verify_definition.sql.inc"
;
/* $1: how a question is planned, $2: whether by reading a table whole, or one of the two tables again for each row of the other. */
static const char plan_sql[] =
#include "worker/apply/sql/apply_planner.sql.inc"
;
static const char requeue_sql[] =
"SELECT bucardo.machine_heal_table($1, $2, coalesce(bucardo.machine_targets_of($1), ARRAY[$3]))";
static const char unpark_sql[] = "SELECT bucardo.machine_unpark($1, 9223372036854775807)";
static const char limits_sql[] =
"SELECT pg_catalog.set_config('lock_timeout', $1, true), pg_catalog.set_config('statement_timeout', $2, true),"
" pg_catalog.set_config('idle_in_transaction_session_timeout', $3, true)";
/* clang-format on */

/* Somewhat less than we wait: the server says what it waited for. */
void bm_apply_add_limits(struct bm_apply *apply, struct bm_pipeline *pipeline)
{
	uint64_t left = bm_apply_left(apply);
	char lock[24], statement[24], idle[24];
	const char *const params[] = {lock, statement, idle};

	snprintf(lock, sizeof(lock), "%" PRIu64, left - left / 5);
	snprintf(statement, sizeof(statement), "%" PRIu64, left - left / 10);
	snprintf(idle, sizeof(idle), "%" PRIu64, left + 1000);
	bm_pipeline_add(pipeline, limits_sql, 3, params);
}

/* ---- which table a statement is for ---- */

#define NO_PLACE SIZE_MAX

void bm_apply_forget_places(struct bm_apply *apply)
{
	for (size_t i = 0; i < apply->count; i++) {
		apply->tables[i].places[0] = apply->tables[i].places[1] = NO_PLACE;
	}
}

int bm_apply_name_failed(const struct bm_apply *apply, size_t place, struct bm_error *err)
{
	const char *name = NULL;
	size_t best = 0;

	for (size_t i = 0; place != NO_PLACE && i < apply->count; i++) {
		for (int part = 0; part < 2; part++) {
			size_t first = apply->tables[i].places[part];
			if (first != NO_PLACE && first <= place && first >= best) {
				best = first;
				name = apply->tables[i].name;
			}
		}
	}
	return name != NULL ? bm_error_wrap(err, "%s", name) : -1;
}

/* ---- asking all ---- */

/* Tables that are named. */
#define NAMED 5

/* A plan for each question was made when it was prepared, or is made anew after an ANALYZE. It
 * goes once along both indexes by txntime, whatever the statistics say: those of a moment in
 * which one transaction had written all let it read all marks for each key. */
static size_t add_plan(struct bm_pipeline *pipeline, bool is_ours)
{
	const char *const ours[] = {"force_generic_plan", "off"};
	const char *const usual[] = {"auto", "on"};

	return bm_pipeline_add(pipeline, plan_sql, 2, is_ours ? ours : usual);
}

static size_t add_asks(struct bm_apply *apply, struct bm_pipeline *pipeline)
{
	size_t first = 0;

	add_plan(pipeline, true);
	for (size_t i = 0; i < apply->count; i++) {
		const char *const params[] = {apply->tables[i].target};
		size_t place = bm_pipeline_execute(
				pipeline, apply->tables[i].ask_name, 1, params);
		first = i == 0 ? place : first;
	}
	add_plan(pipeline, false);
	return first;
}

static void take_asks(struct bm_apply *apply, const struct bm_pipeline *pipeline, size_t first)
{
	for (size_t i = 0; i < apply->count; i++) {
		const PGresult *row = pipeline->results[first + i];
		apply->tables[i].waits = PQgetvalue(row, 0, 0)[0] == 't';
		apply->tables[i].has_twins = PQgetvalue(row, 0, 1)[0] == 't';
	}
}

enum { STATE_TRUNCATES, STATE_DEFERRED, STATE_CAPTURED, STATE_MISSED };

static int evaluate_state(struct bm_apply *apply, const PGresult *state, struct bm_error *err)
{
	if (!PQgetisnull(state, 0, STATE_TRUNCATES)) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"a TRUNCATE of %s waits to be replicated, which a run of Bucardo has to do",
				PQgetvalue(state, 0, STATE_TRUNCATES));
	}
	if (!PQgetisnull(state, 0, STATE_MISSED)) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"%s was written to after ALTER TABLE, past its trigger: all its rows are "
				"to be sent again, which begins within seconds",
				PQgetvalue(state, 0, STATE_MISSED));
	}
	if (strcmp(apply->captured, PQgetvalue(state, 0, STATE_CAPTURED)) != 0) {
		return bm_error_set(err, BM_ERR_TRANSIENT,
				"other tables are captured, or paused, than when this was prepared: again");
	}
	return 0;
}

/* Before the tables are read: what changes meanwhile is seen by the first pass. */
int bm_apply_read_state(struct bm_apply *apply, struct bm_error *err)
{
	const char *const params[] = {apply->migration};
	PGresult *state = bm_ask(apply->conns[BM_APPLY_FROM], state_sql, 1, params,
			bm_apply_left(apply), err);

	if (state != NULL) {
		apply->captured = bm_strdup(PQgetvalue(state, 0, STATE_CAPTURED));
	}
	PQclear(state);
	return state != NULL ? 0 : bm_error_wrap(err, "reading what is captured");
}

static int ask_all(struct bm_apply *apply, bool *is_deferred, struct bm_error *err)
{
	struct bm_pipeline pipeline;
	const char *const params[] = {apply->migration};
	int rc = bm_pipeline_begin(
			&pipeline, apply->conns[BM_APPLY_FROM], apply->deadline_msec, err);

	if (rc == 0 && apply->is_callers) {
		bm_pipeline_add(&pipeline, "SAVEPOINT bm_apply", 0, NULL);
	} else if (rc == 0) {
		bm_pipeline_add(&pipeline, "BEGIN ISOLATION LEVEL REPEATABLE READ", 0, NULL);
		bm_apply_add_limits(apply, &pipeline);
	}
	if (rc == 0) {
		size_t state = bm_pipeline_add(&pipeline, state_sql, 1, params);
		size_t first = add_asks(apply, &pipeline);
		rc = bm_pipeline_end(&pipeline, NULL, err);
		if (rc == 0) {
			take_asks(apply, &pipeline, first);
			rc = evaluate_state(apply, pipeline.results[state], err);
			*is_deferred = PQgetvalue(pipeline.results[state], 0,
						       STATE_DEFERRED)[0] == 't';
		}
	}
	bm_pipeline_finish(&pipeline);
	return rc == 0 ? 0 : bm_error_wrap(err, "what waits");
}

static char *names_of_waiting(struct bm_apply *apply, const PGresult *state)
{
	struct bm_strbuf names = BM_STRBUF_INIT;
	size_t count = 0;

	if (!PQgetisnull(state, 0, STATE_TRUNCATES)) {
		bm_strbuf_printf(&names, "a TRUNCATE of %s",
				PQgetvalue(state, 0, STATE_TRUNCATES));
	}
	if (!PQgetisnull(state, 0, STATE_MISSED)) {
		bm_strbuf_printf(&names, "%s%s", names.length > 0 ? ", " : "",
				PQgetvalue(state, 0, STATE_MISSED));
	}
	for (size_t i = 0; i < apply->count; i++) {
		struct bm_apply_table *table = &apply->tables[i];
		if ((table->waits || table->has_twins) && count++ < NAMED) {
			bm_strbuf_printf(&names, "%s%s", names.length > 0 ? ", " : "",
					table->name);
		}
		table->waits = table->has_twins = false;
	}
	return names.length > 0 ? bm_strbuf_detach(&names) : NULL;
}

int bm_apply_waiting(
		struct bm_apply *apply, uint64_t limit_msec, char **names, struct bm_error *err)
{
	struct bm_pipeline pipeline;
	const char *const params[] = {apply->migration};
	bool is_callers = PQtransactionStatus(apply->conns[BM_APPLY_FROM]) == PQTRANS_INTRANS;

	*names = NULL;
	apply->deadline_msec = bm_clock_msec() + limit_msec;
	int rc = bm_pipeline_begin(
			&pipeline, apply->conns[BM_APPLY_FROM], apply->deadline_msec, err);
	if (rc == 0) {
		if (!is_callers) {
			bm_pipeline_add(&pipeline, "BEGIN", 0, NULL);
		}
		size_t state = bm_pipeline_add(&pipeline, state_sql, 1, params);
		size_t first = add_asks(apply, &pipeline);
		if (!is_callers) {
			bm_pipeline_add(&pipeline, "COMMIT", 0, NULL);
		}
		rc = bm_pipeline_end(&pipeline, NULL, err);
		if (rc == 0) {
			take_asks(apply, &pipeline, first);
			*names = names_of_waiting(apply, pipeline.results[state]);
		}
	}
	bm_pipeline_finish(&pipeline);
	return rc == 0 ? 0 : bm_error_wrap(err, "what waits");
}

/* Deferred keys come back with a txntime that is not marked. */
static int bring_back(struct bm_apply *apply, struct bm_error *err)
{
	struct bm_pipeline pipeline;
	int rc = bm_pipeline_begin(
			&pipeline, apply->conns[BM_APPLY_FROM], apply->deadline_msec, err);

	for (size_t i = 0; rc == 0 && i < apply->count; i++) {
		const char *const params[] = {apply->tables[i].sync};
		bool is_new = true;
		for (size_t other = 0; other < i; other++) {
			is_new = is_new && strcmp(apply->tables[other].sync, params[0]) != 0;
		}
		if (is_new) {
			bm_pipeline_add(&pipeline, unpark_sql, 1, params);
		}
	}
	if (rc == 0) {
		size_t first = add_asks(apply, &pipeline);
		rc = bm_pipeline_end(&pipeline, NULL, err);
		if (rc == 0) {
			take_asks(apply, &pipeline, first);
		}
	}
	bm_pipeline_finish(&pipeline);
	return rc == 0 ? 0 : bm_error_wrap(err, "bringing deferred keys back");
}

/* ---- taking keys ---- */

static bool is_touched(const struct bm_apply_table *table)
{
	return table->waits || table->has_twins;
}

static int evaluate_tables(const struct bm_apply *apply, struct bm_error *err)
{
	for (size_t i = 0; i < apply->count; i++) {
		const struct bm_apply_table *table = &apply->tables[i];
		if (is_touched(table) && (table->is_paused || table->problem != NULL)) {
			return bm_error_set(err, BM_ERR_PRECONDITION,
					"changes of %s wait, and cannot be applied: %s",
					table->name,
					table->is_paused
							? "its replication is paused, `status` says why"
							: table->problem);
		}
	}
	return 0;
}

static void add_table(struct bm_apply_table *table, struct bm_pipeline *pipeline)
{
	const char *const name[] = {table->name};
	const char *const target[] = {table->target};
	const char *const requeue[] = {table->delta, table->track, table->target};
	char *lock = bm_format("LOCK TABLE ONLY %s IN ACCESS SHARE MODE", table->name);

	table->places[0] = bm_pipeline_add(pipeline, lock, 0, NULL);
	bm_pipeline_add(pipeline, definition_sql, 1, name);
	if (table->has_twins) {
		bm_pipeline_add(pipeline, requeue_sql, 3, requeue);
	}
	bm_pipeline_add(pipeline, table->keys_sql, 1, target);
	free(lock);
}

int bm_apply_same_definition(struct bm_apply *apply, const struct bm_apply_table *table,
		enum bm_apply_end end, const PGresult *found, struct bm_error *err)
{
	return strcmp(PQgetvalue(found, 0, 0), table->definition[end]) == 0
			? 0
			: bm_error_set(err, BM_ERR_TRANSIENT,
					  "%s has another definition on the %s than when this was prepared: again",
					  table->name, bm_apply_end_name(apply, end));
}

static int take_chunks(struct bm_apply *apply, struct bm_apply_table *table,
		const PGresult *rows, size_t *bytes, struct bm_error *err)
{
	table->now.list = bm_alloc(((size_t)PQntuples(rows) + 1) * sizeof(*table->now.list));
	for (int row = 0; row < PQntuples(rows); row++) {
		struct bm_apply_chunk *chunk = &table->now.list[table->now.count++];
		chunk->keys = strtoull(PQgetvalue(rows, row, 0), NULL, 10);
		chunk->arrays = bm_alloc((table->key_count + 1) * sizeof(char *));
		for (size_t i = 0; i < table->key_count; i++) {
			const char *text = PQgetvalue(rows, row, (int)i + 1);
			chunk->arrays[i] = bm_strdup(text);
			*bytes += strlen(text);
		}
		apply->result.keys += chunk->keys;
	}
	apply->result.tables += table->now.count > 0;
	return *bytes <= BM_APPLY_BYTES
			? 0
			: bm_error_set(err, BM_ERR_PRECONDITION,
					  "more keys wait than are held at once (%zu MB): let Bucardo apply them first",
					  BM_APPLY_BYTES >> 20);
}

static int take_table(struct bm_apply *apply, struct bm_apply_table *table,
		const struct bm_pipeline *pipeline, size_t *place, size_t *bytes,
		struct bm_error *err)
{
	const PGresult *definition = pipeline->results[*place + 1];
	const PGresult *keys = pipeline->results[*place + (table->has_twins ? 3 : 2)];

	*place += table->has_twins ? 4 : 3;
	if (bm_apply_same_definition(apply, table, BM_APPLY_FROM, definition, err) != 0) {
		return -1;
	}
	return take_chunks(apply, table, keys, bytes, err);
}

static int take_all(struct bm_apply *apply, struct bm_error *err)
{
	struct bm_pipeline pipeline;
	size_t place = 0, bytes = 0, failed = NO_PLACE;

	bm_apply_forget_places(apply);
	int rc = bm_pipeline_begin(
			&pipeline, apply->conns[BM_APPLY_FROM], apply->deadline_msec, err);

	if (rc == 0) {
		place = add_plan(&pipeline, true) + 1;
	}
	for (size_t i = 0; rc == 0 && i < apply->count; i++) {
		if (is_touched(&apply->tables[i])) {
			add_table(&apply->tables[i], &pipeline);
		}
	}
	if (rc == 0) {
		add_plan(&pipeline, false);
	}
	if (rc == 0 && bm_pipeline_end(&pipeline, &failed, err) != 0) {
		rc = bm_apply_name_failed(apply, failed, err);
	}
	for (size_t i = 0; rc == 0 && i < apply->count; i++) {
		if (is_touched(&apply->tables[i])) {
			rc = take_table(apply, &apply->tables[i], &pipeline, &place, &bytes,
					err);
		}
	}
	bm_pipeline_finish(&pipeline);
	return rc == 0 ? 0 : bm_error_wrap(err, "taking the keys that wait");
}

int bm_apply_take_keys(struct bm_apply *apply, struct bm_error *err)
{
	bool is_deferred = false;
	int rc = ask_all(apply, &is_deferred, err);

	if (rc == 0 && is_deferred) {
		rc = bring_back(apply, err);
	}
	if (rc == 0) {
		rc = evaluate_tables(apply, err);
	}
	return rc == 0 ? take_all(apply, err) : rc;
}

/* ---- preparing ---- */

int bm_apply_prepare(struct bm_apply *apply, struct bm_error *err)
{
	struct bm_pipeline pipeline;
	struct bm_strbuf sql = BM_STRBUF_INIT;
	int rc = bm_pipeline_begin(
			&pipeline, apply->conns[BM_APPLY_FROM], apply->deadline_msec, err);

	for (size_t i = 0; rc == 0 && i < apply->count; i++) {
		bm_strbuf_clear(&sql);
		bm_apply_ask_sql(&apply->tables[i], &sql);
		bm_pipeline_prepare(&pipeline, apply->tables[i].ask_name, bm_strbuf_text(&sql));
	}
	if (rc == 0) {
		bm_pipeline_add(&pipeline, "BEGIN", 0, NULL);
		add_asks(apply, &pipeline);
		bm_pipeline_add(&pipeline, "ROLLBACK", 0, NULL);
		rc = bm_pipeline_end(&pipeline, NULL, err);
	}
	bm_strbuf_finish(&sql);
	bm_pipeline_finish(&pipeline);
	return rc == 0 ? 0 : bm_error_wrap(err, "preparing the questions");
}
