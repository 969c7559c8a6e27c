/*
 * Tables that came later, on the live side.
 *
 * A partition whose parent is on the follower is made there. A table that is on both
 * sides is captured first; then all rows that it has are noted as changed, so that
 * Bucardo applies them: what is written meanwhile is captured, and nothing is copied
 * twice or forgotten whenever the worker is killed, because the request to resend them
 * (machine_touches) is written before the triggers are made.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "worker/capture/capture.h"
#include "worker/capture/capture_between.h"
#include "worker/live/live.h"
#include "base/protocol/report.h"
#include "worker/tables/resend.h"
#include "worker/drift/drift.h"
#include "worker/tables/table_pause.h"
#include "worker/tables/strangers.h"
#include "worker/tables/table_check.h"

/* Tables that are taken in together; one by one when a lock was not to be had. */
#define MOST_AT_ONCE 16

/* clang-format off */
static const char chain_sql[] =
#include "worker/tables/sql/partition_chain.sql.inc"
;

static const char make_function[] =
#include "worker/tables/sql/make_partition.sql.inc"
;
/* clang-format on */

/* Fingerprints of the side that new tables come from, and of the other. */
static const json_t *live_tables(const struct bm_table_check *check)
{
	return check->pass->live == BM_SIDE_SOURCE ? check->source : check->destination;
}

static const json_t *follower_tables(const struct bm_table_check *check)
{
	return check->pass->live == BM_SIDE_SOURCE ? check->destination : check->source;
}

/* ---- what is not captured ---- */

/* Whether something was not looked at yet, or has changed since. */
static bool has_unknown(const struct bm_table_check *check)
{
	const char *name;
	json_t *print;

	json_object_foreach((json_t *)(uintptr_t)live_tables(check), name, print)
	{
		if (json_object_get(check->captured, name) == NULL &&
				!json_equal(json_object_get(check->pass->ignored, name),
						print)) {
			return true;
		}
	}
	return false;
}

static void ignore_table(struct bm_table_check *check, const char *table)
{
	json_object_set(check->pass->ignored, table,
			json_object_get(live_tables(check), table));
}

static void report_fresh(
		struct bm_table_check *check, const char *table, const char *why, char *hint)
{
	char *text = bm_format("%s: %s; %s", table, why, hint);

	bm_pass_note(check->pass, text, text);
	if (json_array_size(check->fresh) < BM_PASS_MOST_TOLD) {
		json_array_append_new(check->fresh,
				json_pack("{s:o, s:o, s:o}", "table", bm_json_text(table),
						"why", bm_json_text(why), "hint",
						bm_json_text(hint)));
	}
	free(text);
	free(hint);
}

/* ---- partitions ---- */

/* Seldom needed, so it is made when it is. */
static int prepare_follower(struct bm_pass *pass, struct bm_error *err)
{
	static const char *const steps[] = {"CREATE SCHEMA IF NOT EXISTS bucardo_machine",
			/* What older machines made. */
			"DROP FUNCTION IF EXISTS bucardo_machine.make_partition(text, text, text)",
			"DROP FUNCTION IF EXISTS bucardo_machine.fence_new()", make_function};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(steps); i++) {
		rc = bm_phase_do(pass->phase, bm_pass_follower(pass), steps[i], 0, NULL, err);
	}
	return rc;
}

/* 1 when something was made, 0 when it is no partition of what is there, -1. */
static int make_chain(struct bm_table_check *check, const PGresult *chain, struct bm_error *err)
{
	struct bm_phase *phase = check->pass->phase;
	enum bm_side side = bm_pass_follower(check->pass);
	int made = prepare_follower(check->pass, err);

	for (int row = 0; made >= 0 && row < PQntuples(chain); row++) {
		const char *const params[] = {PQgetvalue(chain, row, 0),
				PQgetvalue(chain, row, 1), PQgetvalue(chain, row, 2),
				side == BM_SIDE_DESTINATION && check->pass->has_fence ? "t"
										      : "f"};
		PGresult *answer = bm_phase_ask(phase, side,
				"SELECT bucardo_machine.make_partition($1, $2, $3, $4::boolean)",
				4, params, err);
		if (answer == NULL) {
			made = -1;
		} else if (strcmp(PQgetvalue(answer, 0, 0), "made") == 0) {
			bm_report_note("partition %s was made on the %s", params[0],
					bm_side_name(side));
			made = 1;
		}
		PQclear(answer);
	}
	return made;
}

/* A server that refuses it says why, and does not keep the others back. */
static int make_table(struct bm_table_check *check, const char *table, struct bm_error *err)
{
	PGresult *chain = bm_phase_ask(
			check->pass->phase, check->pass->live, chain_sql, 1, &table, err);
	int made = chain != NULL ? make_chain(check, chain, err) : -1;

	PQclear(chain);
	if (made < 0 && err->code != BM_ERR_SQL) {
		return -1;
	}
	const char *live = bm_side_name(check->pass->live);
	const char *follower = bm_side_name(bm_pass_follower(check->pass));
	char *only = bm_format("it is on the %s only", live);
	if (made > 0) {
		check->pass->check_at_msec = 0; /* it is taken in at once */
	} else {
		report_fresh(check, table, made < 0 ? err->message : only,
				bm_format("make it on the %s (pg_dump --schema-only --table='%s' of "
					  "the %s); it is taken in by itself then",
						follower, table, live));
	}
	free(only);
	return 0;
}

/* ---- taking in ---- */

static int report_captured(struct bm_table_check *check, const struct bm_capture_group *group,
		struct bm_selected_table *const *tables, size_t count, struct bm_error *err)
{
	for (size_t i = 0; i < count; i++) {
		bm_report_note("%s is captured now", tables[i]->quoted);
	}
	check->pass->check_at_msec = 0;
	if (bm_live_keep_fence(check->pass, err) != 0) {
		return -1;
	}
	return bm_pause_reload(check->pass, group->sync, err);
}

/* What cannot be done now, for a lock mostly, is tried again at the next check. */
static int take_some(struct bm_table_check *check, struct bm_capture *capture,
		const struct bm_capture_group *group, struct bm_selected_table *const *tables,
		size_t count, struct bm_error *err)
{
	*err = (struct bm_error)BM_ERROR_INIT;
	if (bm_capture_take(capture, group, tables, count, err) == 0) {
		return report_captured(check, group, tables, count, err);
	}
	if (err->code != BM_ERR_SQL) {
		return bm_error_wrap(err, "capturing %s", tables[0]->quoted);
	}
	for (size_t i = 0; count > 1 && i < count; i++) {
		if (take_some(check, capture, group, tables + i, 1, err) != 0) {
			return -1;
		}
	}
	if (count == 1) {
		bool is_locked = strcmp(err->sqlstate, "55P03") == 0;
		report_fresh(check, tables[0]->quoted,
				is_locked ? "a lock on it was not to be had" : err->message,
				bm_strdup(is_locked ? "end the transaction that has written to it"
						    : "it is tried again by itself"));
	}
	return 0;
}

/* Told as drift, once it is on both sides and not the same. 1: its rows can be applied, 0, -1.
 */
static int compare_one(struct bm_table_check *check, const char *table, struct bm_error *err)
{
	struct bm_phase *phase = check->pass->phase;
	json_t *names = json_pack("[s]", table), *drift = json_array();
	json_t *source = bm_drift_definitions(phase, BM_SIDE_SOURCE, names, check->exact, err);
	json_t *dest = source == NULL ? NULL
				      : bm_drift_definitions(phase, BM_SIDE_DESTINATION, names,
							check->exact, err);
	bool breaks = true, rewritten;

	if (dest != NULL) {
		breaks = bm_drift_compare(table, bm_table_check_live(check),
				json_object_get(source, table), json_object_get(dest, table),
				check->exact, drift, &rewritten);
		bm_table_check_report_drift(check, drift);
	}
	int rc = dest == NULL ? -1 : breaks ? 0 : 1;
	json_decref(names);
	json_decref(drift);
	json_decref(source);
	json_decref(dest);
	return rc;
}

/* A table that the copy brought, without its being captured since: deletes went unseen too. */
static int request(struct bm_table_check *check, const char *table, struct bm_error *err)
{
	int planned = check->pass->live == BM_SIDE_SOURCE
			? bm_between_is_planned(check->pass->phase, table, err)
			: 0;

	if (planned < 0) {
		return bm_error_wrap(err, "looking whether %s was copied", table);
	}
	return planned == 0 ? bm_resend_request_rows(check->pass, table, err)
			    : bm_resend_request(check->pass, table,
					      "it was copied, but not captured until now", err);
}

/* 1: it is a stranger's on the follower, which is told; 0, or -1 with `err`. */
static int is_strangers(struct bm_table_check *check, const char *table, struct bm_error *err)
{
	const struct bm_pass *pass = check->pass;
	json_t *name = json_pack("{s:b}", table, 1);
	json_t *found = bm_strangers(pass->phase, pass->live, name, check->captured, err);
	const json_t *stranger = json_object_get(found, table);
	int rc = found == NULL ? -1 : stranger != NULL;

	if (rc > 0) {
		const char *follower = bm_side_name(bm_pass_follower(pass));
		const char *owner = json_string_value(json_object_get(stranger, "owner"));
		char *why = bm_format(
				"it belongs to role %s on the %s, and to %s on the %s: its "
				"functions would run with the machine's rights",
				json_string_value(json_object_get(stranger, "role")), follower,
				owner, bm_side_name(pass->live));
		report_fresh(check, table, why,
				bm_format("look what it is; then on the %s: ALTER TABLE %s OWNER TO %s",
						follower, table, owner));
		free(why);
	}
	json_decref(name);
	json_decref(found);
	return rc;
}

/* Whether it can be captured now; else what is missing is done or told. -1 with `err`. */
static int prepare_one(struct bm_table_check *check, const char *table, struct bm_error *err)
{
	const json_t *here = json_object_get(live_tables(check), table);
	const json_t *there = json_object_get(follower_tables(check), table);

	if (here == NULL || json_object_get(check->captured, table) != NULL) {
		return 0;
	}
	if (there == NULL) {
		return make_table(check, table, err);
	}
	int strange = is_strangers(check, table, err);
	if (strange != 0) {
		return strange < 0 ? -1 : 0;
	}
	int fits = json_equal(here, there) ? 1 : compare_one(check, table, err);
	if (fits <= 0) {
		return fits;
	}
	return request(check, table, err) == 0 ? 1 : -1;
}

static int take_group(struct bm_table_check *check, struct bm_capture *capture,
		const struct bm_capture_group *group, struct bm_error *err)
{
	struct bm_selected_table *tables[MOST_AT_ONCE];
	size_t count = 0;

	for (size_t i = 0; i < group->count && count < MOST_AT_ONCE; i++) {
		int ready = prepare_one(check, group->tables[i]->quoted, err);
		if (ready < 0) {
			return -1;
		}
		if (ready > 0) {
			tables[count++] = group->tables[i];
		}
	}
	if (count == 0) {
		return 0;
	}
	return bm_capture_claim(capture, group, err) == 0
			? take_some(check, capture, group, tables, count, err)
			: -1;
}

/* Tables that Bucardo cannot replicate, or that are not selected. */
static void report_others(struct bm_table_check *check, const struct bm_capture *capture)
{
	const char *name;
	json_t *print;

	for (size_t i = 0; i < capture->tables.count; i++) {
		const struct bm_selected_table *table = &capture->tables.tables[i];
		if (table->left_out[0] == '\0') {
			continue;
		}
		if (json_object_get(follower_tables(check), table->quoted) == NULL) {
			report_fresh(check, table->quoted, table->left_out,
					bm_strdup(table->hint));
		} else {
			ignore_table(check, table->quoted);
		}
	}
	json_object_foreach((json_t *)(uintptr_t)live_tables(check), name, print)
	{
		bool selected = json_object_get(check->captured, name) != NULL;
		for (size_t i = 0; !selected && i < capture->tables.count; i++) {
			selected = strcmp(capture->tables.tables[i].quoted, name) == 0;
		}
		if (!selected) {
			ignore_table(check, name);
		}
	}
}

static int take_all(
		struct bm_table_check *check, struct bm_capture *capture, struct bm_error *err)
{
	if (bm_capture_names(capture, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < capture->group_count; i++) {
		if (take_group(check, capture, &capture->groups[i], err) != 0) {
			return -1;
		}
	}
	report_others(check, capture);
	return 0;
}

int bm_table_check_new_tables(struct bm_table_check *check, struct bm_error *err)
{
	struct bm_capture capture;

	if (!bm_pass_applies(check->pass) || !has_unknown(check)) {
		return 0;
	}
	int rc = bm_capture_open(check->pass->phase, &capture, err);
	if (rc == 0) {
		rc = take_all(check, &capture, err);
	}
	bm_capture_finish(&capture);
	return rc == 0 ? 0 : bm_error_wrap(err, "looking at new tables");
}
