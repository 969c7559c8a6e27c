/* The fence of the destination, and what is remembered on the source should it be gone. */
#include "worker/live/live.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/fence.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "base/protocol/report.h"

/* Tables that are named when somebody wants to know what waits. */
#define MOST_NAMED 5

#define LOCK(kind) "(" BM_FENCE_LOCKS ", " kind ")"

/* clang-format off */
static const char remember_table[] =
"CREATE TABLE IF NOT EXISTS bucardo.machine_live"
" (migration text PRIMARY KEY, destination boolean NOT NULL)";

static const char remember_sql[] =
#include "worker/live/sql/live_remember.sql.inc"
;

static const char register_sql[] =
#include "worker/live/sql/live_register.sql.inc"
;

/* One that the machine had fenced at a cut-over, before the sides changed places once more. */
static const char reopen_sql[] =
"UPDATE bucardo.machine_cutovers SET state = 'open', at = clock_timestamp()"
" WHERE migration = $1 AND state = 'fenced' AND turn + 1 < $2::bigint RETURNING 1";

static const char report_sql[] =
"UPDATE bucardo_machine.handover SET turn = $2::bigint, number = $3::bigint, waits = $4,"
" sequences = $5 WHERE migration = $1";
/* clang-format on */

/* Whether a side has a relation or a function: `sql` says. */
static int has_it(struct bm_phase *phase, enum bm_side side, const char *sql, bool *has,
		struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(phase, side, sql, 0, NULL, err);

	*has = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

static int has_fence(struct bm_pass *pass, bool *has, struct bm_error *err)
{
	return has_it(pass->phase, BM_SIDE_DESTINATION,
			"SELECT to_regclass('bucardo_machine.fence') IS NOT NULL", has, err);
}

int bm_live_register(struct bm_phase *phase, struct bm_error *err)
{
	const char *const params[] = {phase->request.name, phase->request.is_both ? "t" : "f"};
	bool has;
	int rc = has_it(phase, BM_SIDE_DESTINATION,
			"SELECT to_regclass('bucardo_machine.handover') IS NOT NULL", &has,
			err);

	if (rc == 0 && has) {
		rc = bm_phase_do(phase, BM_SIDE_DESTINATION, register_sql, 2, params, err);
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "telling the destination whose it is");
}

static int renew_fence(struct bm_pass *pass, struct bm_error *err)
{
	for (size_t i = 0; i < bm_fence_step_count; i++) {
		if (bm_phase_do(pass->phase, BM_SIDE_DESTINATION, bm_fence_steps[i], 0, NULL,
				    err) != 0) {
			return bm_error_wrap(err, "bringing the fence up to date");
		}
	}
	return bm_live_register(pass->phase, err);
}

int bm_live_prepare(struct bm_pass *pass, struct bm_error *err)
{
	static const char quiet_sql[] = "SET client_min_messages = warning";
	int rc = bm_phase_do(pass->phase, BM_SIDE_DESTINATION, quiet_sql, 0, NULL, err);

	/* Other parts keep something there too, and somebody may have dropped it. */
	if (rc == 0) {
		rc = bm_phase_do(pass->phase, BM_SIDE_DESTINATION,
				"CREATE SCHEMA IF NOT EXISTS bucardo_machine", 0, NULL, err);
	}
	if (rc == 0) {
		rc = bm_phase_do(pass->phase, BM_SIDE_SOURCE, quiet_sql, 0, NULL, err);
	}
	if (rc == 0) {
		rc = bm_phase_do(pass->phase, BM_SIDE_SOURCE, remember_table, 0, NULL, err);
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "making what remembers the live side");
}

static int reopen_source(struct bm_pass *pass, struct bm_error *err)
{
	char turn[24];
	const char *const params[] = {pass->phase->request.name, turn};
	bool is_there;
	int rc = has_it(pass->phase, BM_SIDE_SOURCE,
			"SELECT to_regclass('bucardo.machine_cutovers') IS NOT NULL", &is_there,
			err);

	if (rc != 0 || !is_there) {
		return rc;
	}
	snprintf(turn, sizeof(turn), "%" PRId64, pass->turn);
	PGresult *rows = bm_phase_ask(pass->phase, BM_SIDE_SOURCE, reopen_sql, 2, params, err);
	if (rows != NULL && PQntuples(rows) > 0) {
		bm_report_note("the source is open again: the destination's fence was raised");
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

/* A person raised the fence of the destination after a cut-over that had fenced the source. */
static int keep_source_open(struct bm_pass *pass, struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;
	int held = bm_live_hold(pass, err);

	if (held <= 0) {
		return held;
	}
	int rc = reopen_source(pass, err);
	int released = bm_live_release(pass, rc == 0 ? err : &ignored);
	return rc == 0 ? released : -1;
}

int bm_live_keep_fence(struct bm_pass *pass, struct bm_error *err)
{
	if (!pass->has_fence) {
		return 0;
	}
	int rc = bm_phase_do(pass->phase, BM_SIDE_DESTINATION,
			"SELECT bucardo_machine.raise_fence()", 0, NULL, err);
	return rc == 0 && pass->live == BM_SIDE_SOURCE && pass->has_turned
			? keep_source_open(pass, err)
			: rc;
}

/* ---- which side it is ---- */

struct sight {
	bool fenced, lifted;
	int64_t turn;	  /* how often the sides have changed places */
	char forced[400]; /* what was passed over the last time; "" nothing */
};

/* Without a fence: as it was seen last. */
static int recall(struct bm_pass *pass, struct sight *sight, struct bm_error *err)
{
	const char *const params[] = {pass->phase->request.name};
	PGresult *rows = bm_phase_ask(pass->phase, BM_SIDE_SOURCE,
			"SELECT destination FROM bucardo.machine_live WHERE migration = $1", 1,
			params, err);

	if (rows != NULL && PQntuples(rows) > 0) {
		sight->lifted = PQgetvalue(rows, 0, 0)[0] == 't';
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

/*
 * A person's empty table is the wish for a fence: the source becomes the live side, so it is
 * granted when nothing of an earlier time waits there. 1 granted, or it was ours already; 0 not
 * yet: `sight` is as if it were not there; -1.
 */
static int grant_wish(struct bm_pass *pass, struct sight *sight, struct bm_error *err)
{
	json_t *waits;

	if (recall(pass, sight, err) != 0) {
		return -1;
	}
	waits = sight->lifted ? bm_live_waiting(pass, BM_SIDE_SOURCE, err) : json_object();
	int rc = waits == NULL ? -1 : json_object_size(waits) == 0;
	json_decref(waits);
	sight->fenced = rc == 1;
	if (rc == 0) {
		bm_pass_note(pass, "wish for a fence",
				"the destination's fence is raised once no changes wait on the "
				"source any more");
	}
	return rc;
}

static int take_fence(struct bm_pass *pass, struct sight *sight, struct bm_error *err)
{
	bool is_wish;
	int rc = has_it(pass->phase, BM_SIDE_DESTINATION,
			"SELECT NOT EXISTS (SELECT 1 FROM bucardo_machine.fence)", &is_wish,
			err);

	rc = rc == 0 && is_wish ? grant_wish(pass, sight, err) : rc == 0 ? 1 : -1;
	if (rc <= 0) {
		return rc;
	}
	bool has_turned = is_wish && sight->lifted;
	sight->lifted = false;
	if (renew_fence(pass, err) != 0) {
		return -1;
	}
	return !has_turned ||
					bm_phase_do(pass->phase, BM_SIDE_DESTINATION,
							"UPDATE bucardo_machine.fence SET turn = turn + 1",
							0, NULL, err) == 0
			? 1
			: -1;
}

static int read_sight(struct bm_pass *pass, struct sight *sight, struct bm_error *err)
{
	*sight = (struct sight){0};
	if (has_fence(pass, &sight->fenced, err) != 0) {
		return -1;
	}
	if (!sight->fenced) {
		return recall(pass, sight, err);
	}
	/* Seen for the first time: an older machine may have made it, or a person. */
	if (!pass->has_fence) {
		int taken = take_fence(pass, sight, err);
		if (taken <= 0) {
			return taken;
		}
	}
	pass->has_fence = true;
	PGresult *rows = bm_phase_ask(pass->phase, BM_SIDE_DESTINATION,
			"SELECT count(lifted) > 0, coalesce(max(turn), 0), max(forced)"
			" FROM bucardo_machine.fence",
			0, NULL, err);
	if (rows != NULL) {
		sight->lifted = PQgetvalue(rows, 0, 0)[0] == 't';
		sight->turn = strtoll(PQgetvalue(rows, 0, 1), NULL, 10);
		snprintf(sight->forced, sizeof(sight->forced), "%s", PQgetvalue(rows, 0, 2));
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

static enum bm_side live_side(const struct sight *sight)
{
	return sight->lifted ? BM_SIDE_DESTINATION : BM_SIDE_SOURCE;
}

static void print_epoch(
		const struct bm_pass *pass, const struct sight *sight, char *out, size_t size)
{
	snprintf(out, size, "%s %" PRId64 " %s", pass->phase->request.name, sight->turn,
			bm_side_name(live_side(sight)));
}

/* What was known of the tables was known of the other side. */
static void change_places(struct bm_pass *pass, const struct sight *sight)
{
	json_object_clear(pass->ignored);
	json_decref(pass->seen);
	pass->seen = NULL;
	pass->check_at_msec = 0;
	pass->left_at_msec = 0;
	if (sight->lifted) {
		bm_report_note("the destination's fence is lifted: the destination is the live "
			       "side%s",
				pass->phase->request.is_both
						? ", and the source follows"
						: "; direction is forward, so nothing of it is "
						  "applied back to the source");
	} else if (sight->turn > 0) {
		bm_report_note("the destination's fence was raised again: the source is the "
			       "live side, and the destination follows");
	}
	if (sight->forced[0] != '\0') {
		bm_report_note("the sides changed places by force, although %s: where both have "
			       "changed a row, an older value may win",
				sight->forced);
	}
}

/* So that somebody who lifts the fence knows that he is heard; for as long as the session. */
static int announce(struct bm_pass *pass, struct bm_error *err)
{
	const PGconn *conn = bm_phase_conn(pass->phase, BM_SIDE_DESTINATION, err);

	if (conn == NULL || conn == pass->announced) {
		return conn == NULL ? -1 : 0;
	}
	pass->announced = conn;
	return bm_phase_do(pass->phase, BM_SIDE_DESTINATION,
			"SELECT pg_advisory_lock_shared" LOCK(BM_FENCE_LOCK_ALIVE), 0, NULL,
			err);
}

static int remember(struct bm_pass *pass, const struct sight *sight, struct bm_error *err)
{
	const char *const params[] = {pass->phase->request.name, sight->lifted ? "t" : "f"};

	return sight->fenced
			? bm_phase_do(pass->phase, BM_SIDE_SOURCE, remember_sql, 2, params, err)
			: 0;
}

int bm_live_find(struct bm_pass *pass, struct bm_error *err)
{
	struct sight sight;
	char epoch[sizeof(pass->epoch)];

	if (announce(pass, err) != 0 || read_sight(pass, &sight, err) != 0) {
		return bm_error_wrap(err, "asking which side is live");
	}
	print_epoch(pass, &sight, epoch, sizeof(epoch));
	if (strcmp(epoch, pass->epoch) != 0) {
		if (remember(pass, &sight, err) != 0) {
			return bm_error_wrap(err, "noting which side is live");
		}
		change_places(pass, &sight);
	}
	pass->live = live_side(&sight);
	pass->has_fence = sight.fenced;
	pass->has_turned = sight.lifted || sight.turn > 0;
	pass->turn = sight.turn;
	snprintf(pass->epoch, sizeof(pass->epoch), "%s", epoch);
	pass->phase->catalog = pass->live;
	return 0;
}

/* ---- while something is written ---- */

int bm_live_hold(struct bm_pass *pass, struct bm_error *err)
{
	static const char lock_not_available[] = "55P03";
	struct sight sight;
	char epoch[sizeof(pass->epoch)];

	if (bm_phase_do(pass->phase, BM_SIDE_DESTINATION,
			    "SELECT pg_advisory_lock_shared" LOCK(BM_FENCE_LOCK_SIDE), 0, NULL,
			    err) != 0) {
		if (strcmp(err->sqlstate, lock_not_available) != 0) {
			return -1;
		}
		*err = (struct bm_error)BM_ERROR_INIT;
		bm_pass_held_up(pass);
		return 0;
	}
	bm_pass_solved(pass, BM_PASS_HELD_UP);
	int rc = read_sight(pass, &sight, err);
	if (rc == 0) {
		print_epoch(pass, &sight, epoch, sizeof(epoch));
	}
	if (rc == 0 && strcmp(epoch, pass->epoch) == 0) {
		return 1;
	}
	struct bm_error ignored = BM_ERROR_INIT;
	bm_live_release(pass, rc == 0 ? err : &ignored);
	return rc;
}

int bm_live_release(struct bm_pass *pass, struct bm_error *err)
{
	return bm_phase_do(pass->phase, BM_SIDE_DESTINATION,
			"SELECT pg_advisory_unlock_shared" LOCK(BM_FENCE_LOCK_SIDE), 0, NULL,
			err);
}

/* ---- before the sides change places ---- */

/* clang-format off */
static const char floor_sql[] =
#include "worker/live/sql/handover_floor.sql.inc"
;
/* clang-format on */

int bm_live_asked(struct bm_pass *pass, int64_t *number, struct bm_error *err)
{
	*number = 0;
	if (!pass->has_fence) {
		return 0;
	}
	PGresult *rows = bm_phase_ask(
			pass->phase, BM_SIDE_DESTINATION, floor_sql, 0, NULL, err);
	if (rows != NULL) {
		*number = strtoll(PQgetvalue(rows, 0, 0), NULL, 10);
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

json_t *bm_live_waiting(struct bm_pass *pass, enum bm_side side, struct bm_error *err)
{
	const char *const params[] = {pass->phase->request.name};
	bool is_captured;

	if (has_it(pass->phase, side,
			    "SELECT to_regprocedure('bucardo.machine_waiting(text)') IS NOT NULL",
			    &is_captured, err) != 0) {
		return NULL;
	}
	PGresult *rows = is_captured
			? bm_phase_ask(pass->phase, side, "SELECT bucardo.machine_waiting($1)",
					  1, params, err)
			: NULL;
	json_t *names = is_captured && rows == NULL ? NULL : json_object();
	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		json_object_set_new(names, PQgetvalue(rows, row, 0), json_true());
	}
	PQclear(rows);
	return names;
}

static char *list_names(const json_t *names)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	size_t count = 0;
	const char *name;
	json_t *ignored;

	json_object_foreach((json_t *)(uintptr_t)names, name, ignored)
	{
		if (count++ < MOST_NAMED) {
			bm_strbuf_printf(&text, "%s%s", count > 1 ? ", " : "", name);
		}
	}
	if (count > MOST_NAMED) {
		bm_strbuf_puts(&text, ", ...");
	}
	return bm_strbuf_detach(&text);
}

/* Those that failed, or that the follower lacks. */
static char *list_sequences(const struct bm_pass *pass)
{
	static const char *const members[] = {"failed", "missing"};
	const json_t *sequences = json_object_get(pass->phase->evidence, "sequences");
	json_t *names = json_object();

	for (size_t i = 0; i < BM_COUNT_OF(members); i++) {
		size_t index;
		const json_t *one;
		json_array_foreach(json_object_get(sequences, members[i]), index, one)
		{
			json_object_set_new(names,
					json_string_value(json_object_get(one, "sequence")),
					json_true());
		}
	}
	char *text = list_names(names);
	json_decref(names);
	return text;
}

int bm_live_report_waiting(struct bm_pass *pass, int64_t number, struct bm_error *err)
{
	json_t *names = bm_live_waiting(pass, BM_SIDE_SOURCE, err);
	char turn[24], text[24];

	if (names == NULL) {
		return bm_error_wrap(err, "looking what waits on the source");
	}
	char *waits = list_names(names), *sequences = list_sequences(pass);
	snprintf(turn, sizeof(turn), "%" PRId64, pass->turn);
	snprintf(text, sizeof(text), "%" PRId64, number);
	const char *const params[] = {pass->phase->request.name, turn, text, waits, sequences};
	int rc = bm_phase_do(pass->phase, BM_SIDE_DESTINATION, report_sql, 5, params, err);
	free(waits);
	free(sequences);
	json_decref(names);
	return rc;
}

int bm_live_answer(struct bm_pass *pass, int64_t number, struct bm_error *err)
{
	char text[24];
	const char *const params[] = {text};

	snprintf(text, sizeof(text), "%" PRId64, number);
	return bm_phase_do(pass->phase, BM_SIDE_DESTINATION,
			"SELECT setval('bucardo_machine.handover_answered', $1::bigint)", 1,
			params, err);
}
