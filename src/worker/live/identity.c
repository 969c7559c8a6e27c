/* Both sides are asked, and evaluated in one place; the pass is written to both. */
#include "worker/live/identity.h"

#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "worker/live/identity_hints.h"
#include "base/protocol/report.h"
#include "worker/session/own_schemas.h"
#include "worker/session/alone.h"

/* Between two looks that have to agree before a migration is stopped. */
#define AGAIN_MSEC 500

/* clang-format off */
static const char identity_function[] =
#include "worker/live/sql/machine_identity.sql.inc"
;
static const char timeline_function[] =
#include "worker/live/sql/machine_timeline.sql.inc"
;
static const char register_function[] =
#include "worker/live/sql/machine_claim.sql.inc"
;
static const char state_function[] =
#include "worker/live/sql/machine_state.sql.inc"
;
static const char beat_function[] =
#include "worker/live/sql/machine_beat.sql.inc"
;
static const char seen_function[] =
#include "worker/live/sql/machine_seen.sql.inc"
;
static const char enter_function[] =
#include "worker/live/sql/machine_enter.sql.inc"
;
static const char run_function[] =
#include "worker/live/sql/machine_run.sql.inc"
;
static const char take_over_function[] =
#include "worker/live/sql/machine_take_over.sql.inc"
;
static const char accept_function[] =
#include "worker/live/sql/machine_accept.sql.inc"
;

static const char beats_sql[] =
#include "worker/live/sql/beats_create.sql.inc"
;

static const char owners_sql[] =
#include "worker/live/sql/owners_create.sql.inc"
;

static const char *const prepare_steps[] = {
	"SET client_min_messages = warning",
	"CREATE SCHEMA IF NOT EXISTS bucardo",
	bm_own_schemas_sql,
	owners_sql,
	beats_sql,
	"CREATE TABLE IF NOT EXISTS bucardo.machine_runs (sync text PRIMARY KEY,"
	" migration text NOT NULL, run bigint NOT NULL DEFAULT 0, nonce text NOT NULL DEFAULT '')",
	identity_function, timeline_function, register_function, state_function, beat_function,
	seen_function, enter_function, run_function, take_over_function, accept_function,
};
/* clang-format on */

static const enum bm_side sides[] = {BM_SIDE_SOURCE, BM_SIDE_DESTINATION};

/* ---- asking ---- */

char *bm_identity_owner(struct bm_phase *phase, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(phase, BM_SIDE_CONTROL,
			"SELECT c.system_identifier FROM pg_catalog.pg_control_system() c", 0,
			NULL, err);
	char *owner = rows != NULL ? bm_strdup(PQgetvalue(rows, 0, 0)) : NULL;

	PQclear(rows);
	return owner;
}

const char *bm_identity_host(void)
{
	static char name[64];

	if (gethostname(name, sizeof(name) - 1) != 0) {
		snprintf(name, sizeof(name), "unknown");
	}
	return name;
}

static void make_nonce(char out[17])
{
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
		number = (uint64_t)getpid();
	}
	snprintf(out, 17, "%016" PRIx64, number);
}

int bm_identity_prepare(struct bm_phase *phase, enum bm_side side, struct bm_error *err)
{
	bool is_alone = bm_alone_begin(phase, side);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(prepare_steps); i++) {
		rc = bm_phase_do(phase, side, prepare_steps[i], 0, NULL, err);
	}
	bm_alone_end(phase, side, is_alone);
	return rc == 0 ? 0
		       : bm_error_wrap(err, "making schema bucardo on the %s",
					 bm_side_name(side));
}

int bm_identity_read(
		struct bm_phase *phase, enum bm_side side, json_t **state, struct bm_error *err)
{
	const char *const name[] = {phase->request.name};
	PGresult *rows = bm_phase_ask(phase, side,
			"SELECT to_regprocedure('bucardo.machine_state(text)') IS NOT NULL", 0,
			NULL, err);
	bool knows = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';

	*state = NULL;
	if (rows == NULL || !knows) {
		PQclear(rows);
		return rows == NULL ? -1 : 0;
	}
	PQclear(rows);
	rows = bm_phase_ask(phase, side, "SELECT bucardo.machine_state($1)", 1, name, err);
	if (rows != NULL && PQntuples(rows) > 0 && !PQgetisnull(rows, 0, 0)) {
		*state = json_loads(PQgetvalue(rows, 0, 0), 0, NULL);
	}
	/* It was dropped between two statements: nothing is remembered. */
	bool gone = rows == NULL &&
			(strcmp(err->sqlstate, "42883") == 0 ||
					strcmp(err->sqlstate, "42P01") == 0);
	PQclear(rows);
	if (gone) {
		*err = (struct bm_error)BM_ERROR_INIT;
	}
	return rows != NULL || gone ? 0 : -1;
}

/* ---- registering ---- */

static int register_side(struct bm_phase *phase, enum bm_side side, const char *sync,
		const char *owner, struct bm_error *err)
{
	const char *const params[] = {phase->request.name, sync, owner, bm_identity_host()};

	/* A run of Bucardo that is under way holds rows of ours, and nobody waits behind us:
	 * the 100 ms of a cut-over are for the tables of applications. */
	if (bm_phase_do(phase, side,
			    "SELECT pg_catalog.set_config('lock_timeout', '60s', true),"
			    " bucardo.machine_claim($1, $2, $3, $4)",
			    4, params, err) != 0) {
		return bm_error_wrap(
				err, "registering the migration on the %s", bm_side_name(side));
	}
	return 0;
}

int bm_identity_register(struct bm_phase *phase, enum bm_side side, const char *sync,
		struct bm_error *err)
{
	char *owner = bm_identity_owner(phase, err);
	struct bm_strbuf why = BM_STRBUF_INIT;
	json_t *state = NULL;
	int rc = owner != NULL ? bm_identity_prepare(phase, side, err) : -1;

	if (rc == 0) {
		rc = register_side(phase, side, sync, owner, err);
	}
	if (rc == 0) {
		rc = bm_identity_read(phase, side, &state, err);
	}
	if (rc == 0 && bm_identity_is_foreign(state, owner)) {
		bm_identity_report_foreign(state, bm_side_name(side), &why);
		bm_identity_hint_foreign(
				state, phase->request.name, phase->hint, sizeof(phase->hint));
		rc = bm_error_set(err, BM_ERR_PRECONDITION, "%s", bm_strbuf_text(&why));
	}
	json_decref(state);
	bm_strbuf_finish(&why);
	free(owner);
	return rc;
}

/* ---- the same numbers on both sides ---- */

static json_int_t number(const json_t *state, const char *member)
{
	return json_integer_value(json_object_get(state, member));
}

/* The next run of each sync that a side knows. */
static void next_runs(const json_t *state, json_t *runs)
{
	const char *sync;
	json_t *run;

	json_object_foreach(json_object_get(state, "runs"), sync, run)
	{
		json_int_t next = number(run, "run") + 1;
		if (next > json_integer_value(json_object_get(runs, sync))) {
			json_object_set_new(runs, sync, json_integer(next));
		}
	}
}

int bm_identity_accept(struct bm_phase *phase, struct bm_error *err)
{
	/* The source last: it is the one that lets runs begin. */
	static const enum bm_side order[] = {BM_SIDE_DESTINATION, BM_SIDE_SOURCE};
	char *owner = bm_identity_owner(phase, err);
	json_t *state[BM_SIDE_COUNT] = {NULL}, *runs = json_object();
	char nonce[17], pass_text[24];
	json_int_t next = 0;
	int rc = owner != NULL ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(sides); i++) {
		rc = bm_identity_read(phase, sides[i], &state[sides[i]], err);
		next_runs(state[sides[i]], runs);
		json_int_t after = number(state[sides[i]], "pass") + 1;
		next = after > next ? after : next;
	}
	char *list = json_dumps(runs, JSON_COMPACT);
	const char *const params[] = {phase->request.name, owner, pass_text, nonce, list};
	make_nonce(nonce);
	snprintf(pass_text, sizeof(pass_text), "%" JSON_INTEGER_FORMAT, next);
	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(order); i++) {
		rc = bm_phase_do(phase, order[i],
				"SELECT bucardo.machine_accept($1, $2, $3::bigint, $4, $5::json)",
				5, params, err);
	}
	json_decref(state[BM_SIDE_SOURCE]);
	json_decref(state[BM_SIDE_DESTINATION]);
	json_decref(runs);
	free(list);
	free(owner);
	return rc;
}

/* Registered just now, and never written to. */
static bool is_new(const json_t *state)
{
	return number(state, "pass") == 0;
}

int bm_identity_reconcile(struct bm_phase *phase, struct bm_error *err)
{
	struct bm_strbuf why = BM_STRBUF_INIT;
	json_t *source = NULL, *destination = NULL;
	char *owner = bm_identity_owner(phase, err);
	int rc = owner != NULL ? bm_identity_read(phase, BM_SIDE_SOURCE, &source, err) : -1;

	if (rc == 0) {
		rc = bm_identity_read(phase, BM_SIDE_DESTINATION, &destination, err);
	}
	if (rc == 0 &&
			bm_identity_evaluate(source, destination, owner, &why) ==
					BM_IDENTITY_REPLACED) {
		if (is_new(destination)) {
			rc = bm_identity_accept(phase, err);
		} else {
			bm_identity_hint_replaced(
					phase->request.name, phase->hint, sizeof(phase->hint));
			rc = bm_error_set(err, BM_ERR_PRECONDITION, "%s", bm_strbuf_text(&why));
		}
	}
	json_decref(source);
	json_decref(destination);
	bm_strbuf_finish(&why);
	free(owner);
	return rc;
}

/* ---- each pass ---- */

struct both {
	json_t *source, *destination;
	enum bm_identity_result result;
	struct bm_strbuf why;
};

static void finish(struct both *both)
{
	json_decref(both->source);
	json_decref(both->destination);
	bm_strbuf_finish(&both->why);
	*both = (struct both){.why = BM_STRBUF_INIT};
}

/*
 * Runs go on while we ask, and commit on the destination first. So the source is asked before
 * and after it: when it did not move, what is said in between belongs to the same moment.
 */
static int ask_both(struct bm_phase *phase, const char *owner, struct both *both,
		struct bm_error *err)
{
	json_t *before = NULL;
	int rc = bm_identity_read(phase, BM_SIDE_SOURCE, &before, err);

	if (rc == 0) {
		rc = bm_identity_read(phase, BM_SIDE_DESTINATION, &both->destination, err);
	}
	if (rc == 0) {
		rc = bm_identity_read(phase, BM_SIDE_SOURCE, &both->source, err);
	}
	if (rc == 0 &&
			!json_equal(json_object_get(before, "runs"),
					json_object_get(both->source, "runs"))) {
		json_object_del(both->source, "runs");
	}
	json_decref(before);
	if (rc == 0) {
		both->result = bm_identity_evaluate(
				both->source, both->destination, owner, &both->why);
	}
	return rc;
}

/* What stops a migration has to be so twice: a commit on one side may be under way. */
static int look(struct bm_phase *phase, const char *owner, struct both *both,
		struct bm_error *err)
{
	int rc = ask_both(phase, owner, both, err);

	if (rc == 0 && both->result == BM_IDENTITY_REPLACED) {
		finish(both);
		poll(NULL, 0, AGAIN_MSEC);
		rc = ask_both(phase, owner, both, err);
	}
	return rc;
}

/* Where nothing is remembered nothing can be marked; the run refuses of that. */
static void record_stopped(struct bm_phase *phase, const char *owner, const char *why)
{
	const char *const params[] = {phase->request.name, owner, why};

	for (size_t i = 0; i < BM_COUNT_OF(sides); i++) {
		struct bm_error ignored = BM_ERROR_INIT;
		bm_phase_do(phase, sides[i],
				"UPDATE bucardo.machine_owners o SET stopped = $3 WHERE o.migration = $1"
				" AND o.owner = $2 AND o.stopped = ''",
				3, params, &ignored);
	}
}

static void report_stopped(struct bm_pass *pass, const char *owner, const struct both *both)
{
	const char *name = pass->phase->request.name;
	const char *why = bm_strbuf_text(&both->why);
	char hint[600], news[1200];

	if (both->result == BM_IDENTITY_FOREIGN) {
		const json_t *state = bm_identity_is_foreign(both->source, owner)
				? both->source
				: both->destination;
		bm_identity_hint_foreign(state, name, hint, sizeof(hint));
	} else {
		record_stopped(pass->phase, owner, why);
		bm_identity_hint_replaced(name, hint, sizeof(hint));
	}
	json_object_set_new(pass->phase->evidence, "stopped",
			json_pack("{s:s, s:s}", "why", why, "hint", hint));
	snprintf(news, sizeof(news), "stopped: %.600s; %.500s", why, hint);
	bm_pass_note(pass, "stopped", news);
}

static void report_moved(const struct bm_phase *phase, const json_t *state, const char *side)
{
	static const char *const members[][3] = {{"timeline", "timeline_now", "timeline"},
			{"identity", "identity_now", "system identifier or database number"}};

	for (size_t i = 0; i < BM_COUNT_OF(members); i++) {
		const json_t *was = json_object_get(state, members[i][0]);
		const json_t *is = json_object_get(state, members[i][1]);
		if (!json_equal(was, is)) {
			bm_report_note("the %s of %s has another %s (%s, was %s): nothing that was "
				       "applied is missing there, so it goes on",
					side, phase->request.name, members[i][2],
					json_string_value(is), json_string_value(was));
		}
	}
}

/* The next pass on both sides, the source first. 1: somebody took the migration over. */
static int beat(struct bm_phase *phase, const char *owner, const struct both *both,
		struct bm_error *err)
{
	char pass_text[24], nonce[17];
	const char *const params[] = {phase->request.name, owner, pass_text, nonce};
	int rc = 0;

	make_nonce(nonce);
	snprintf(pass_text, sizeof(pass_text), "%" JSON_INTEGER_FORMAT,
			number(both->source, "pass") + 1);
	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(sides); i++) {
		PGresult *rows = bm_phase_ask(phase, sides[i],
				"SELECT bucardo.machine_beat($1, $2, $3::bigint, $4)", 4,
				params, err);
		rc = rows == NULL ? -1 : PQgetvalue(rows, 0, 0)[0] != 't';
		PQclear(rows);
	}
	return rc;
}

/* An older machine made the migration: it has syncs, and no owner. */
static int adopt(struct bm_phase *phase, struct bm_error *err)
{
	const char *const name[] = {phase->request.name};
	PGresult *syncs = bm_phase_ask(phase, BM_SIDE_CONTROL,
			"SELECT s.name FROM bucardo.sync s WHERE s.dbs = $1 || '_dbs'", 1, name,
			err);
	int rc = syncs != NULL ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(sides); i++) {
		for (int row = 0; rc == 0 && row < PQntuples(syncs); row++) {
			rc = bm_identity_register(
					phase, sides[i], PQgetvalue(syncs, row, 0), err);
		}
	}
	PQclear(syncs);
	return rc;
}

/* Whether the source still has what an older machine wrote there. 1, 0, -1. */
static int is_captured(struct bm_phase *phase, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(phase, BM_SIDE_SOURCE,
			"SELECT to_regclass('bucardo.machine_syncs') IS NOT NULL", 0, NULL,
			err);
	int is = rows == NULL ? -1 : PQgetvalue(rows, 0, 0)[0] == 't';

	PQclear(rows);
	return is;
}

static int act_on(struct bm_pass *pass, const char *owner, struct both *both,
		struct bm_error *err)
{
	struct bm_phase *phase = pass->phase;

	if (both->result == BM_IDENTITY_NEW) {
		int captured = is_captured(phase, err);
		if (captured != 0) {
			return captured < 0 ? -1 : adopt(phase, err);
		}
		both->result = BM_IDENTITY_REPLACED;
		bm_strbuf_puts(&both->why,
				"neither side has what was written there about this "
				"migration: schema bucardo was dropped");
	}
	if (both->result != BM_IDENTITY_GOOD) {
		report_stopped(pass, owner, both);
		return 1;
	}
	report_moved(phase, both->source, "source");
	report_moved(phase, both->destination, "destination");
	int rc = beat(phase, owner, both, err);
	if (rc == 0) {
		json_object_del(phase->evidence, "stopped");
		bm_pass_forget(pass, "stopped");
	}
	return rc;
}

int bm_identity_check(struct bm_pass *pass, struct bm_error *err)
{
	struct both both = {.why = BM_STRBUF_INIT};
	char *owner = bm_identity_owner(pass->phase, err);
	int rc = owner != NULL ? look(pass->phase, owner, &both, err) : -1;

	if (rc == 0) {
		rc = act_on(pass, owner, &both, err);
	}
	finish(&both);
	free(owner);
	return rc;
}
