/* What waits on the side that is left is carried to the other, and compared there. */
#include "worker/cutover/attempt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bucardo_machine/clock.h"
#include "base/protocol/report.h"
#include "worker/apply/apply.h"

/* Passes outside of the freeze: until so little waits that another one would find as much. */
#define PASSES 20
#define LITTLE 100
#define PASSES_LIMIT_MSEC 60000
#define PASS_LIMIT_MSEC 120000

int bm_cutover_begin_applier(struct bm_cutover *c, struct bm_error *err)
{
	c->freeze = bm_cutover_connect(c, c->from, err);
	if (c->freeze == NULL) {
		return -1;
	}
	c->carry = bm_cutover_connect(c, c->to, err);
	if (c->carry == NULL) {
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

int bm_cutover_carry(struct bm_cutover *c, struct bm_error *err)
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
	snprintf(c->detail, sizeof(c->detail), "%" PRIu64 " keys in %d passes", keys, passes);
	return rc == 0 ? 0 : bm_error_wrap(err, "carrying what waits");
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
