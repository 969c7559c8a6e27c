/*
 * One check of the tables that are captured:
 *
 *     compare the definitions of both sides
 *     take out of the sync those that cannot be applied, put back those that were fixed
 *     send rows again that changed without a trigger having seen it
 *
 * Everything is found out anew each time, from the two databases and Bucardo's tables.
 */
#include "worker/tables/table_check.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "worker/tables/capture_watch.h"
#include "base/protocol/report.h"
#include "worker/tables/resend.h"
#include "worker/tables/table_columns.h"
#include "worker/drift/drift.h"
#include "worker/tables/table_keys.h"
#include "worker/tables/table_names.h"
#include "worker/tables/table_pause.h"
#include "worker/tables/refused_tables.h"

/* A check rests this many times as long as it took, within these bounds. */
#define REST_FACTOR 30
#define REST_FIRST_MSEC 5000
#define REST_LIMIT_MSEC 20000

/* clang-format off */
static const char syncs_sql[] =
#include "worker/deltas/sql/syncs_of_migration.sql.inc"
;

static const char captured_sql[] =
#include "worker/deltas/sql/captured_of_sync.sql.inc"
;

static const char members_sql[] =
#include "worker/deltas/sql/members_of_sync.sql.inc"
;
/* clang-format on */

enum column { NAME, DELTA, TRACK, IS_PAUSED, IS_NAMED };

static bool is_true(const PGresult *rows, int row, int column)
{
	return PQgetvalue(rows, row, column)[0] == 't';
}

static bool has(const json_t *object, const char *name)
{
	return json_object_get(object, name) != NULL;
}

/* ---- what is there ---- */

/* The names that a statement about the control database gives, as an object. */
static json_t *read_names(struct bm_pass *pass, const char *sql, const char *parameter,
		struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(pass->phase, BM_SIDE_CONTROL, sql, 1, &parameter, err);
	json_t *members = rows != NULL ? json_object() : NULL;

	for (int i = 0; members != NULL && i < PQntuples(rows); i++) {
		json_object_set_new(members, PQgetvalue(rows, i, 0), json_true());
	}
	PQclear(rows);
	return members;
}

static bool differs(const struct bm_table_check *check, const char *table)
{
	const char *source = json_string_value(json_object_get(check->source, table));
	const char *dest = json_string_value(json_object_get(check->destination, table));

	return source == NULL || dest == NULL || strcmp(source, dest) != 0;
}

static int read_definitions(struct bm_table_check *check, const PGresult *captured,
		json_t **source, json_t **dest, struct bm_error *err)
{
	json_t *names = json_array();
	int rc = 0;

	*source = *dest = NULL;
	for (int i = 0; i < PQntuples(captured); i++) {
		if (differs(check, PQgetvalue(captured, i, NAME))) {
			json_array_append_new(
					names, json_string(PQgetvalue(captured, i, NAME)));
		}
	}
	if (json_array_size(names) > 0) {
		struct bm_phase *phase = check->pass->phase;
		*source = bm_drift_definitions(phase, BM_SIDE_SOURCE, names, check->exact, err);
		*dest = *source == NULL ? NULL
					: bm_drift_definitions(phase, BM_SIDE_DESTINATION,
							  names, check->exact, err);
		rc = *dest != NULL ? 0 : -1;
	}
	json_decref(names);
	return rc;
}

/* ---- one table ---- */

struct sync_check {
	struct bm_table_check *check;
	struct bm_paused_sync sync;
	json_t *members;
	json_t *source, *dest;	     /* definitions of those that differ */
	json_t *refused;	     /* table -> what a run said of it */
	json_t *leaving, *returning; /* names */
	bool stale;		     /* Bucardo has to read its tables anew */
};

void bm_table_check_report_drift(struct bm_table_check *check, const json_t *drift)
{
	size_t index;
	json_t *one;

	json_array_foreach(drift, index, one)
	{
		const char *table = json_string_value(json_object_get(one, "table"));
		const char *what = json_string_value(json_object_get(one, "difference"));
		const char *hint = json_string_value(json_object_get(one, "hint"));
		bool breaks = json_is_true(json_object_get(one, "breaks"));
		char *text = bm_format("%s: %s%s; %s", table, what,
				breaks ? ": it is paused" : "", hint);
		if (!has(check->pass->drifted, text)) {
			bm_report_note("%s", text);
		}
		json_object_set_new(check->drifted, text, json_true());
		free(text);
		if (json_array_size(check->drift) < BM_PASS_MOST_TOLD) {
			json_array_append(check->drift, one);
		}
	}
}

/* The changes of the live side that wait in a paused table; -1 unknown. With direction forward
 * only those of the source are known. */
static json_int_t count_waiting(
		struct sync_check *it, const PGresult *captured, int row, struct bm_error *err)
{
	const char *const params[] = {it->sync.target};
	char *sql = bm_format(
			"SELECT count(*) FROM (SELECT 1 FROM bucardo.%s d WHERE NOT EXISTS"
			" (SELECT 1 FROM bucardo.%s t WHERE t.txntime = d.txntime"
			" AND t.target = $1) LIMIT 1000000) x",
			PQgetvalue(captured, row, DELTA), PQgetvalue(captured, row, TRACK));
	PGresult *rows = bm_phase_ask(it->check->pass->phase,
			it->sync.is_both ? it->check->pass->live : BM_SIDE_SOURCE, sql, 1,
			params, err);
	json_int_t count = rows != NULL ? strtoll(PQgetvalue(rows, 0, 0), NULL, 10) : -1;

	PQclear(rows);
	free(sql);
	return count;
}

static void report_paused(struct sync_check *it, const PGresult *captured, int row)
{
	struct bm_error ignored = BM_ERROR_INIT;
	json_t *paused = it->check->paused;

	if (json_array_size(paused) >= BM_PASS_MOST_TOLD) {
		return;
	}
	json_int_t rows = count_waiting(it, captured, row, &ignored);
	/* All are, when nothing is applied any more. */
	if (rows != 0 || bm_pass_applies(it->check->pass)) {
		json_array_append_new(paused,
				json_pack("{s:s, s:I}", "table",
						PQgetvalue(captured, row, NAME), "rows", rows));
	}
}

/* What Bucardo applies of it is renewed when no run can see it. */
static int evaluate_columns(struct sync_check *it, const char *table, bool is_resting,
		bool *breaks, json_t *drift, struct bm_error *err)
{
	if (!bm_columns_are_stale(it->check, table)) {
		return 0;
	}
	if (is_resting) {
		return bm_columns_renew(it->check, table, err);
	}
	json_array_append_new(drift,
			json_pack("{s:s, s:s, s:s, s:b}", "table", table, "difference",
					"a table with a generated column was altered, and "
					"Bucardo has to learn its columns anew",
					"hint",
					"nothing is to be done: it goes on in some seconds",
					"breaks", true));
	*breaks = true;
	return 0;
}

/* A run failed at it, whatever the reason. */
static void evaluate_refused(
		struct sync_check *it, const char *table, bool *breaks, json_t *drift)
{
	json_t *refused = json_object_get(it->refused, table);

	if (refused != NULL) {
		json_array_append_new(drift,
				json_pack("{s:s, s:O, s:O, s:b}", "table", table, "difference",
						json_object_get(refused, "difference"), "hint",
						json_object_get(refused, "hint"), "breaks",
						true));
		*breaks = true;
	}
}

/* Whether rows of the table cannot be applied as it is; `is_resting`: it is out of the sync. */
static int evaluate(struct sync_check *it, const char *table, bool is_resting, bool *breaks,
		struct bm_error *err)
{
	struct bm_table_check *check = it->check;
	const json_t *source = json_object_get(it->source, table);
	const json_t *dest = json_object_get(it->dest, table);
	json_t *drift = json_array();
	bool rewritten = false;

	int odd = bm_names_evaluate(check, table, is_resting, drift, err);
	if (odd != 0) {
		*breaks = true;
		bm_table_check_report_drift(check, drift);
		json_decref(drift);
		return odd < 0 ? -1 : 0;
	}
	/* Gone on both sides: nothing to fix, and nothing to apply. */
	*breaks = source == NULL && dest == NULL && differs(check, table);
	if (!*breaks && differs(check, table)) {
		*breaks = bm_drift_compare(table, bm_table_check_live(check), source, dest,
				check->exact, drift, &rewritten);
	}
	*breaks = bm_keys_evaluate(check->pass, table, drift) || *breaks;
	evaluate_refused(it, table, breaks, drift);
	int rc = evaluate_columns(it, table, is_resting, breaks, drift, err);
	if (rc == 0 && *breaks && rewritten) {
		rc = bm_resend_request_rows(check->pass, table, err);
	}
	bm_resend_record_later(check->later, table, drift);
	bm_table_check_report_drift(check, drift);
	json_decref(drift);
	return rc;
}

static void record_change(struct sync_check *it, const char *table)
{
	const json_t *before = json_object_get(it->check->pass->seen, table);

	/* Bucardo knows the columns from when it began. */
	it->stale = it->stale ||
			(before != NULL &&
					!json_equal(before,
							json_object_get(it->check->source,
									table)));
}

static int check_table(
		struct sync_check *it, const PGresult *captured, int row, struct bm_error *err)
{
	const char *table = PQgetvalue(captured, row, NAME);
	bool is_paused = is_true(captured, row, IS_PAUSED);
	const char *goat = bm_names_goat(it->check, table);
	bool is_running = is_true(captured, row, IS_NAMED) || has(it->members, table) ||
			has(it->members, goat);
	bool breaks;

	json_object_set_new(it->check->captured, table, json_true());
	if (evaluate(it, table, is_paused && !is_running, &breaks, err) != 0) {
		return -1;
	}
	/* Old rows go over no live ones. */
	breaks = breaks || !bm_pass_applies(it->check->pass);
	if (breaks && (!is_paused || is_running)) {
		json_array_append_new(it->leaving, json_string(table));
		if (strcmp(goat, table) != 0) {
			json_array_append_new(it->leaving, json_string(goat));
		}
	} else if (!breaks && is_paused) {
		json_array_append_new(it->returning, json_string(table));
	}
	if (!breaks) {
		json_object_set_new(it->check->running, table, json_true());
		record_change(it, table);
	} else if (has(it->check->source, table) || has(it->check->destination, table)) {
		report_paused(it, captured, row);
	}
	return 0;
}

/* ---- one sync ---- */

static void report_returned(const json_t *names)
{
	size_t index;
	const json_t *name;

	json_array_foreach(names, index, name)
	{
		bm_report_note("%s is fixed: what waited is applied", json_string_value(name));
	}
}

static int change_sync(struct sync_check *it, struct bm_error *err)
{
	struct bm_pass *pass = it->check->pass;

	if (json_array_size(it->leaving) > 0 &&
			bm_pause_set(pass, &it->sync, it->leaving, true, err) != 0) {
		return -1;
	}
	if (json_array_size(it->returning) > 0) {
		if (bm_pause_set(pass, &it->sync, it->returning, false, err) != 0) {
			return -1;
		}
		report_returned(it->returning);
	} else if (it->stale && json_array_size(it->leaving) == 0) {
		return bm_pause_reload(pass, it->sync.name, err);
	}
	return 0;
}

static int check_tables(struct sync_check *it, const PGresult *captured, struct bm_error *err)
{
	if (read_definitions(it->check, captured, &it->source, &it->dest, err) != 0 ||
			bm_refused_update(it->check, &it->sync, captured, &it->refused, err) !=
					0) {
		return -1;
	}
	for (int row = 0; row < PQntuples(captured); row++) {
		if (check_table(it, captured, row, err) != 0) {
			return -1;
		}
	}
	return change_sync(it, err);
}

static int check_sync(struct bm_table_check *check, const PGresult *syncs, int row,
		struct bm_error *err)
{
	struct bm_phase *phase = check->pass->phase;
	struct sync_check it = {.check = check,
			.sync = {PQgetvalue(syncs, row, 0), PQgetvalue(syncs, row, 1),
					is_true(syncs, row, 2)},
			.leaving = json_array(),
			.returning = json_array()};
	PGresult *captured = bm_phase_ask(
			phase, BM_SIDE_SOURCE, captured_sql, 1, &it.sync.name, err);
	int rc = -1;

	if (captured != NULL) {
		it.members = read_names(check->pass, members_sql, it.sync.name, err);
	}
	if (it.members != NULL) {
		check->tables += PQntuples(captured);
		rc = check_tables(&it, captured, err);
	}
	PQclear(captured);
	json_decref(it.members);
	json_decref(it.source);
	json_decref(it.dest);
	json_decref(it.refused);
	json_decref(it.leaving);
	json_decref(it.returning);
	return rc;
}

/* ---- all of it ---- */

static int read_both(struct bm_table_check *check, struct bm_error *err)
{
	struct bm_phase *phase = check->pass->phase;
	const PGconn *source = bm_phase_conn(phase, BM_SIDE_SOURCE, err);
	const PGconn *dest = source == NULL ? NULL
					    : bm_phase_conn(phase, BM_SIDE_DESTINATION, err);

	if (dest == NULL) {
		return -1;
	}
	check->exact = PQserverVersion(source) / 10000 == PQserverVersion(dest) / 10000;
	check->source = bm_drift_fingerprints(phase, BM_SIDE_SOURCE, check->exact, err);
	if (check->source != NULL) {
		check->destination = bm_drift_fingerprints(
				phase, BM_SIDE_DESTINATION, check->exact, err);
	}
	return check->destination != NULL ? 0 : -1;
}

static int check_all(struct bm_table_check *check, struct bm_error *err)
{
	struct bm_pass *pass = check->pass;
	const char *const name[] = {pass->phase->request.name};
	PGresult *syncs = bm_phase_ask(pass->phase, BM_SIDE_CONTROL, syncs_sql, 1, name, err);
	int rc = syncs != NULL ? 0 : -1;

	if (rc == 0 && PQntuples(syncs) > 0) {
		rc = bm_keys_follow(check, err);
	}
	if (rc == 0 && PQntuples(syncs) > 0) {
		rc = bm_capture_watch(check, syncs, err);
	}
	if (rc == 0) {
		rc = bm_names_read(check, err);
	}
	if (rc == 0) {
		rc = read_both(check, err);
	}

	if (rc == 0) {
		rc = bm_columns_read(check, err);
	}
	for (int i = 0; rc == 0 && i < PQntuples(syncs); i++) {
		rc = check_sync(check, syncs, i, err);
	}
	PQclear(syncs);
	if (rc == 0) {
		rc = bm_table_check_new_tables(check, err);
	}
	if (rc == 0 && json_object_size(check->captured) > 0) {
		rc = bm_resend_hold(pass, check->later, err);
	}
	return rc == 0 ? bm_capture_watch_resend(check, err) : -1;
}

static void publish(struct bm_table_check *check)
{
	json_t *evidence = check->pass->phase->evidence;

	json_object_set_new(evidence, "tables", json_integer(check->tables));
	json_object_set(evidence, "drift", check->drift);
	json_object_set(evidence, "paused", check->paused);
	json_object_set(evidence, "new", check->fresh);
	json_decref(check->pass->seen);
	check->pass->seen = json_incref(check->source);
	json_decref(check->pass->drifted);
	check->pass->drifted = json_incref(check->drifted);
}

int bm_reconcile_tables(struct bm_pass *pass, struct bm_error *err)
{
	struct bm_table_check check = {.pass = pass,
			.running = json_object(),
			.uncaptured = json_object(),
			.later = json_object(),
			.captured = json_object(),
			.fresh = json_array(),
			.drifted = json_object(),
			.drift = json_array(),
			.paused = json_array()};
	uint64_t begun = bm_clock_msec();
	bool has_failed;

	if (bm_refused_is_news(pass, &has_failed, err) != 0) {
		return -1;
	}
	if (begun < pass->check_at_msec && !has_failed) {
		return 0;
	}
	pass->check_at_msec = UINT64_MAX;
	int rc = check_all(&check, err);
	if (rc == 0) {
		publish(&check);
	}
	uint64_t rest = (bm_clock_msec() - begun) * REST_FACTOR;
	rest = rest < REST_FIRST_MSEC ? REST_FIRST_MSEC : rest;
	/* Something that was done may ask for the next check at once. */
	if (pass->check_at_msec != 0) {
		pass->check_at_msec = bm_clock_msec() +
				(rest < REST_LIMIT_MSEC ? rest : REST_LIMIT_MSEC);
	}
	json_decref(check.source);
	json_decref(check.destination);
	json_decref(check.applied);
	json_decref(check.columns);
	json_decref(check.names);
	json_decref(check.running);
	json_decref(check.uncaptured);
	json_decref(check.later);
	json_decref(check.captured);
	json_decref(check.fresh);
	json_decref(check.drifted);
	json_decref(check.drift);
	json_decref(check.paused);
	return rc == 0 ? 0 : bm_error_wrap(err, "comparing the tables");
}
