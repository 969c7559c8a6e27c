/* What waits on the side that is left is carried to the other, and compared there. */
#include "worker/cutover/attempt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "base/protocol/report.h"
#include "worker/apply/apply.h"

/* Passes outside of the freeze: until so little waits that another one would find as much. */
#define PASSES 20
#define LITTLE 100
#define PASSES_LIMIT_MSEC 60000
#define PASS_LIMIT_MSEC 120000

/* clang-format off */
static const char purge_sql[] =
"SELECT bucardo.machine_purge(r.sync, 10000000) FROM bucardo.machine_runs r JOIN bucardo.machine_syncs m USING (sync)"
" WHERE r.migration = $1";

/* Delta tables of more than 50,000 keys or so, with their tables of marks. */
static const char many_sql[] =
"SELECT string_agg(format('bucardo.%s, bucardo.%s', d.deltaname, d.trackname), ', ')"
" FROM bucardo.machine_runs r JOIN bucardo.machine_syncs m USING (sync) JOIN bucardo.bucardo_delta_names d USING (sync)"
" WHERE r.migration = $1 AND pg_relation_size(to_regclass('bucardo.' || d.deltaname)) > 2500000";
/* clang-format on */

int bm_cutover_connect_both(struct bm_cutover *c, struct bm_error *err)
{
	c->freeze = c->freeze != NULL ? c->freeze : bm_cutover_connect(c, c->from, err);
	if (c->freeze == NULL) {
		return -1;
	}
	c->carry = c->carry != NULL ? c->carry : bm_cutover_connect(c, c->to, err);
	return c->carry != NULL ? 0 : -1;
}

int bm_cutover_begin_applier(struct bm_cutover *c, struct bm_error *err)
{
	if (bm_cutover_connect_both(c, err) != 0) {
		return -1;
	}
	c->apply = bm_apply_create(c->freeze, c->carry, c->phase->request.name, c->from, err);
	PGconn *control = c->apply != NULL ? bm_phase_conn(c->phase, BM_SIDE_CONTROL, err)
					   : NULL;
	return control != NULL && bm_apply_read_control(c->apply, control, err) == 0
			? 0
			: bm_error_wrap(err, "preparing to carry what waits");
}

/* Whether another pass would find less than this one did. */
static bool is_worth_another(const struct bm_apply_result *last, uint64_t keys, int passes,
		uint64_t begun_msec)
{
	return passes < PASSES && last->keys > LITTLE &&
			(passes < 2 || last->keys * 10 < keys * 8) &&
			bm_clock_msec() - begun_msec < PASSES_LIMIT_MSEC;
}

int bm_cutover_carry_all(struct bm_cutover *c, struct bm_error *err)
{
	struct bm_apply_result result = {0};
	uint64_t keys = 0, before = 0, begun_msec = bm_clock_msec();
	int passes = 0, rc = c->apply != NULL ? 0 : bm_cutover_begin_applier(c, err);

	do {
		before = result.keys;
		rc = rc == 0 ? bm_apply_pass(c->apply, PASS_LIMIT_MSEC, &result, err) : -1;
		keys += result.keys;
		passes++;
	} while (rc == 0 && is_worth_another(&result, before, passes, begun_msec));
	snprintf(c->detail, sizeof(c->detail), "%" PRIu64 " key%s in %d pass%s", keys,
			keys == 1 ? "" : "s", passes, passes == 1 ? "" : "es");
	return rc == 0 ? 0 : bm_error_wrap(err, "carrying what waits");
}

/* ---- keys that were applied already ---- */

int bm_cutover_purge(struct bm_cutover *c, struct bm_error *err)
{
	struct bm_phase *phase = c->phase;
	struct bm_error ignored = BM_ERROR_INIT;

	if (bm_phase_do(phase, c->from, "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE", 0,
			    NULL, err) != 0) {
		return -1;
	}
	int rc = bm_phase_do(phase, c->from, purge_sql, 1, &phase->request.name, err);
	int ended = bm_phase_do(phase, c->from, rc == 0 ? "COMMIT" : "ROLLBACK", 0, NULL,
			rc == 0 ? err : &ignored);
	return rc == 0 && ended == 0 ? 0 : -1;
}

/* What is in the way of that stays, and is asked for in the freeze. */
static void clean(struct bm_cutover *c, const char *what, const char *tables)
{
	struct bm_error ignored = BM_ERROR_INIT;
	char *sql = bm_format("%s %s", what, tables);

	bm_phase_do(c->phase, c->from, sql, 0, NULL, &ignored);
	free(sql);
}

/* Each question in the freeze goes over the keys that were applied and are not purged. */
static int purge_many(struct bm_cutover *c, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(
			c->phase, c->from, many_sql, 1, &c->phase->request.name, err);
	const char *tables = rows != NULL ? PQgetvalue(rows, 0, 0) : "";
	int rc = rows != NULL ? 0 : -1;

	if (tables[0] != '\0') {
		clean(c, "ANALYZE", tables);
		rc = bm_cutover_purge(c, err);
		clean(c, "VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false)", tables);
		snprintf(c->detail + strlen(c->detail), sizeof(c->detail) - strlen(c->detail),
				", and what was applied is purged");
	}
	PQclear(rows);
	return rc == 0 ? 0 : bm_error_wrap(err, "purging what was applied");
}

int bm_cutover_carry(struct bm_cutover *c, struct bm_error *err)
{
	return bm_cutover_carry_all(c, err) == 0 ? purge_many(c, err) : -1;
}

/* What came meanwhile: each key that is carried now is not carried in the freeze, and one that
 * is found equal now is not compared there. */
int bm_cutover_carry_once(struct bm_cutover *c, struct bm_error *err)
{
	int rc = bm_apply_pass(c->apply, PASS_LIMIT_MSEC, NULL, err);

	rc = rc == 0 ? bm_apply_settle(c->apply, PASS_LIMIT_MSEC, err) : -1;
	return rc == 0 ? bm_apply_pass(c->apply, PASS_LIMIT_MSEC, NULL, err) : -1;
}

int bm_cutover_check_drained(struct bm_cutover *c, struct bm_error *err)
{
	char *names = NULL;
	int rc = bm_apply_waiting(c->apply, bm_budget_left(c), &names, err);

	if (rc == 0 && names != NULL) {
		rc = bm_error_set(err, BM_ERR_PRECONDITION,
				"changes of the %s wait after all was carried: %s; somebody writes",
				bm_side_name(c->from), names);
	}
	free(names);
	return rc;
}

int bm_cutover_drain(struct bm_cutover *c, struct bm_error *err)
{
	struct bm_apply_result result = {0};
	int rc = bm_apply_pass(c->apply, bm_budget_left(c), &result, err);

	snprintf(c->detail, sizeof(c->detail), "%" PRIu64 " keys of %u tables", result.keys,
			result.tables);
	if (rc != 0) {
		bm_budget_check(c, err);
	}
	return rc == 0 ? bm_cutover_check_drained(c, err) : -1;
}

int bm_cutover_prove(struct bm_cutover *c, struct bm_error *err)
{
	char *difference = NULL;
	int rc = bm_apply_compare(c->apply, bm_budget_left(c), &difference, err);

	if (rc == 0 && difference != NULL) {
		snprintf(c->phase->hint, sizeof(c->phase->hint),
				"bucardo-machine verify %s --repair sends those rows again",
				c->phase->request.name);
		rc = bm_error_set(err, BM_ERR_PRECONDITION, "both sides differ: %.500s",
				difference);
	} else if (rc != 0) {
		bm_budget_check(c, err);
	}
	free(difference);
	return rc;
}
