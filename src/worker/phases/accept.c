/*
 * `worker phase` with "phase":"accept", started by the command of that name: what a person
 * decided about a migration that is stopped, or that belongs to another machine.
 *
 *     take-over  the owner is gone: this machine owns the migration from now on
 *     resend     capture what is not captured any more, note all rows as changed, go on
 *     as-is      nothing is missing, go on
 *
 * The numbers of both sides are made equal last: until then the migration is stopped, and
 * all of it may be done again.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/words.h"
#include "worker/capture/capture.h"
#include "worker/live/identity.h"
#include "worker/live/live.h"
#include "base/protocol/report.h"
#include "worker/tables/resend.h"
#include "worker/tables/table_pause.h"
#include "worker/phases/phase.h"

/* The machine that owns it speaks every 3 s. */
#define SILENCE "60 s"

static const enum bm_side sides[] = {BM_SIDE_SOURCE, BM_SIDE_DESTINATION};

/* ---- take-over ---- */

/* clang-format off */
static const char holders_sql[] =
#include "worker/phases/sql/accept_holders.sql.inc"
;
/* clang-format on */

static void name_holders(struct bm_phase *phase, enum bm_side side)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *rows = bm_phase_ask(phase, side, holders_sql, 0, NULL, &ignored);

	if (rows != NULL && !PQgetisnull(rows, 0, 0)) {
		snprintf(phase->hint, sizeof(phase->hint), "when it hangs, on the %s: %.900s",
				bm_side_name(side), PQgetvalue(rows, 0, 0));
	}
	PQclear(rows);
}

static int take_side(struct bm_phase *phase, enum bm_side side, const char *owner,
		struct bm_error *err)
{
	const char *const params[] = {phase->request.name, owner, bm_identity_host(), SILENCE};

	PGresult *rows = bm_phase_ask(phase, side,
			"SELECT bucardo.machine_take_over($1, $2, $3, $4::interval)", 4, params,
			err);
	if (rows == NULL && strcmp(err->sqlstate, "55P03") == 0) {
		name_holders(phase, side);
		return bm_error_set(err, BM_ERR_TRANSIENT,
				"a run of the machine that owns the migration is under way on the %s",
				bm_side_name(side));
	}
	int rc = rows == NULL ? -1 : 0;
	if (rc == 0 && PQgetvalue(rows, 0, 0)[0] != '\0') {
		snprintf(phase->hint, sizeof(phase->hint),
				"stop it for good, wait for " SILENCE ", and say it again");
		rc = bm_error_set(err, BM_ERR_PRECONDITION,
				"the machine that owns the migration lives: the %s heard of it %s s ago",
				bm_side_name(side), PQgetvalue(rows, 0, 0));
	}
	PQclear(rows);
	return rc;
}

static int take_over(struct bm_phase *phase, const char *owner, struct bm_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(sides); i++) {
		json_t *state = NULL;
		rc = bm_identity_read(phase, sides[i], &state, err);
		/* A destination of our own knows nothing of it, and shall stay empty. */
		if (rc == 0 && state != NULL) {
			rc = take_side(phase, sides[i], owner, err);
		}
		json_decref(state);
	}
	return rc;
}

/* ---- a side that was replaced ---- */

static int register_all(struct bm_phase *phase, struct bm_error *err)
{
	const char *const name[] = {phase->request.name};
	PGresult *syncs = bm_phase_ask(phase, BM_SIDE_CONTROL,
			"SELECT s.name FROM bucardo.sync s WHERE s.dbs = $1 || '_dbs'", 1, name,
			err);
	int rc = syncs != NULL ? 0 : -1;

	if (rc == 0 && PQntuples(syncs) == 0) {
		rc = bm_error_set(err, BM_ERR_PRECONDITION,
				"migration '%s' was not captured yet: there is nothing to accept",
				phase->request.name);
	}
	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(sides); i++) {
		for (int row = 0; rc == 0 && row < PQntuples(syncs); row++) {
			rc = bm_identity_register(
					phase, sides[i], PQgetvalue(syncs, row, 0), err);
		}
	}
	PQclear(syncs);
	return rc;
}

/* clang-format off */
static const char captured_sql[] =
#include "worker/deltas/sql/captured_of_migration.sql.inc"
;
/* clang-format on */

static int owe_all(struct bm_pass *pass, struct bm_error *err)
{
	const char *const name[] = {pass->phase->request.name};
	PGresult *tables = bm_phase_ask(pass->phase, pass->live, captured_sql, 1, name, err);
	int rc = tables != NULL ? 0 : -1;

	for (int row = 0; rc == 0 && row < PQntuples(tables); row++) {
		rc = bm_resend_request(pass, PQgetvalue(tables, row, 0),
				"a side of the migration was replaced", err);
	}
	if (rc == 0) {
		struct bm_strbuf count = BM_STRBUF_INIT;
		bm_words_count(&count, PQntuples(tables), "table", NULL);
		bm_report_note("all rows of %s are sent again", bm_strbuf_text(&count));
		bm_strbuf_finish(&count);
	}
	PQclear(tables);
	return rc;
}

static int resend(struct bm_phase *phase, const char *owner, struct bm_error *err)
{
	struct bm_pass pass = {
			.phase = phase, .reported = json_object(), .ignored = json_object()};
	(void)owner;
	int rc = register_all(phase, err);

	if (rc == 0) {
		rc = bm_capture_take_all(phase, err);
	}
	if (rc == 0) {
		rc = bm_live_prepare(&pass, err);
	}
	if (rc == 0) {
		rc = bm_live_find(&pass, err);
	}
	if (rc == 0) {
		rc = bm_pause_prepare(&pass, err);
	}
	if (rc == 0) {
		rc = bm_resend_prepare(&pass, err);
	}
	if (rc == 0) {
		rc = owe_all(&pass, err);
	}
	json_decref(pass.reported);
	json_decref(pass.ignored);
	return rc == 0 ? bm_identity_accept(phase, err) : -1;
}

static int as_is(struct bm_phase *phase, const char *owner, struct bm_error *err)
{
	(void)owner;
	return register_all(phase, err) == 0 ? bm_identity_accept(phase, err) : -1;
}

int bm_accept_run(struct bm_phase *phase, struct bm_error *err)
{
	static const struct {
		const char *way;
		int (*run)(struct bm_phase *phase, const char *owner, struct bm_error *err);
	} ways[] = {{"take-over", take_over}, {"resend", resend}, {"as-is", as_is}};
	const char *way = json_string_value(json_object_get(phase->request.root, "way"));
	char *owner = bm_identity_owner(phase, err);
	int rc = -1;
	bool known = false;

	for (size_t i = 0; owner != NULL && i < BM_COUNT_OF(ways); i++) {
		if (way != NULL && strcmp(ways[i].way, way) == 0) {
			known = true;
			rc = ways[i].run(phase, owner, err);
		}
	}
	if (owner != NULL && !known) {
		rc = bm_error_set(err, BM_ERR_CONFIG,
				"there is no way '%.40s'; there are take-over, resend and as-is",
				way != NULL ? way : "");
	}
	free(owner);
	return rc;
}
