/*
 * The steps, in their order:
 *
 *     ready     every condition, without any lock
 *     look      which side is live
 *     arm       the fence's triggers on the side that is left, switched off
 *     large objects are made the same, where there are any
 *     quiet     Bucardo lets go of the syncs
 *     carry     what waits, in passes, until little is left
 *     verify    what changed since it was proven is compared again
 *     hold      nobody else relies on which side is live
 *     hooks     those that come before
 *     lock      writers stop: the freeze begins
 *     drain     the last keys
 *     keyless   tables without a key are copied again where they differ
 *     large objects that were written since
 *     sequences of the side that becomes live are set ahead
 *     prove     what was carried is the same on both sides
 *     fence     switched on, with the row that says which attempt it is
 *     commit    the point of no return
 *     sequences once more: nextval() heeds no lock
 *     large objects once more: who waited for their lock has written them now
 *     open      the other side
 *     hooks     applications are sent there
 *     replicate the other way
 *     seen      to work
 *
 * What fails before `commit` is rolled back at once; what fails after it is tried again, by
 * this process and by the ones after it (mode finish).
 */
#include "worker/cutover/cutover.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "base/protocol/report.h"
#include "worker/apply/apply.h"
#include "worker/cutover/attempt.h"
#include "worker/cutover/ready.h"
#include "worker/flip/flip.h"
#include "worker/session/ask.h"

static int be_ready(struct bm_cutover *c, struct bm_error *err);

struct step {
	const char *name, *text; /* one named "hooks" only where there are any */
	int (*run)(struct bm_cutover *c, struct bm_error *err);
};

static const struct step before[] = {
		{"ready", "asking whether all is ready", be_ready},
		{"look", "asking which side is live", bm_cutover_look},
		{"arm", "putting the fence's triggers on the tables, switched off",
				bm_cutover_arm},
};

/* Again when a TRUNCATE came meanwhile, which only a run of Bucardo does. */
static const struct step ahead[] = {
		{"large objects", "making large objects the same", bm_cutover_objects},
		{"quiet", "waiting until Bucardo rests", bm_cutover_quiet},
		{"carry", "carrying what waits", bm_cutover_carry},
		{"verify", "comparing what changed since it was proven", bm_cutover_verify},
		{"hold", "keeping everybody else from changing sides", bm_cutover_hold},
};

static const struct step hooking[] = {
		{"hooks", "running the hooks that come before", bm_cutover_hooks_before},
};

static const struct step frozen[] = {
		{"lock", "locking the tables", bm_cutover_lock},
		{"drain", "carrying the last keys", bm_cutover_drain},
		{"keyless", "copying tables without a key again", bm_cutover_keyless},
		{"large objects", "copying large objects again", bm_cutover_objects_frozen},
		{"sequences", "setting the sequences ahead", bm_cutover_lead},
		{"prove", "comparing what was carried", bm_cutover_prove},
		{"fence", "raising the fence", bm_cutover_fence},
};

static const struct step commit[] = {
		{"commit", "committing", bm_cutover_commit},
};

static const struct step opening[] = {
		{"sequences", "setting the sequences once more", bm_cutover_lead},
		{"large objects", "copying large objects once more", bm_cutover_objects_late},
		{"open", "opening the other side", bm_cutover_open},
};

static const struct step flipping[] = {
		{"hooks", "sending applications to the other side", bm_cutover_hooks_switch},
};

static const struct step after[] = {
		{"left behind", "looking for tables that came in that moment",
				bm_cutover_tell_late},
		{"replicate", "replicating the other way", bm_cutover_wake},
		{"seen", "waiting for the first run the other way", bm_cutover_seen},
		{"hooks", "finishing the hooks", bm_cutover_hooks_finish},
};

/* Of mode way_back. */
static const struct step preparing[] = {
		{"look", "asking which side is live", bm_cutover_look},
		{"way back", "capturing the destination as well", bm_cutover_way_back},
		{"seen", "waiting for the first run both ways", bm_cutover_seen},
};

#define STEPS                                                                                  \
	(BM_COUNT_OF(before) + BM_COUNT_OF(ahead) + BM_COUNT_OF(hooking) +                     \
			BM_COUNT_OF(frozen) + BM_COUNT_OF(commit) + BM_COUNT_OF(opening) +     \
			BM_COUNT_OF(flipping) + BM_COUNT_OF(after))

static int do_step(struct bm_cutover *c, const struct step *step, struct bm_error *err)
{
	uint64_t begun_msec = bm_clock_msec();

	c->step = step->name;
	c->detail[0] = '\0';
	bm_report_progress(json_array_size(c->steps), STEPS, "steps", step->text);
	int rc = bm_budget_check(c, err);
	if (rc == 0 && bm_budget_holds(c) && step->run != bm_cutover_commit) {
		rc = bm_budget_tell(c, err);
	}
	rc = rc == 0 ? step->run(c, err) : -1;
	json_array_append_new(c->steps,
			json_pack("{s:s, s:I, s:o}", "name", step->name, "msec",
					(json_int_t)(bm_clock_msec() - begun_msec), "detail",
					bm_json_text(c->detail)));
	return rc;
}

static bool has_step(const struct bm_cutover *c, const char *name)
{
	return strcmp(name, "hooks") == 0		     ? c->flip != NULL
			: strcmp(name, "large objects") == 0 ? c->has_objects
							     : true;
}

static int do_steps(struct bm_cutover *c, const struct step *steps, size_t count,
		struct bm_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (has_step(c, steps[i].name)) {
			rc = do_step(c, &steps[i], err);
		}
	}
	return rc;
}

/* What is in the way first, and what to do about it. */
static int tell_not_ready(struct bm_cutover *c, const json_t *conditions, struct bm_error *err)
{
	size_t index;
	const json_t *one;

	json_array_foreach(conditions, index, one)
	{
		const char *state = json_string_value(json_object_get(one, "state"));
		if (strcmp(state, "ready") != 0 && strcmp(state, "accepted") != 0) {
			snprintf(c->phase->hint, sizeof(c->phase->hint), "%s",
					json_string_value(json_object_get(one, "hint")));
			return bm_error_set(err, BM_ERR_PRECONDITION, "not ready: %s: %.500s",
					json_string_value(json_object_get(one, "name")),
					json_string_value(json_object_get(one, "why")));
		}
	}
	return bm_error_set(err, BM_ERR_PRECONDITION, "not ready");
}

static int be_ready(struct bm_cutover *c, struct bm_error *err)
{
	json_t *conditions = json_array();
	bool ready = false;
	int rc = bm_cutover_ready(c->phase, conditions, &ready, err);

	if (rc == 0 && !ready) {
		rc = tell_not_ready(c, conditions, err);
		c->is_not_ready = true;
	}
	json_object_set_new(c->phase->evidence, "conditions", conditions);
	return rc;
}

#define DO(c, steps, err) do_steps(c, steps, BM_COUNT_OF(steps), err)

/* ---- what there is to tell ---- */

static void put_msec(struct bm_cutover *c, const char *name, uint64_t from, uint64_t to)
{
	json_object_set_new(c->phase->evidence, name,
			json_integer(from != 0 && to > from ? (json_int_t)(to - from) : 0));
}

static void put_evidence(struct bm_cutover *c, const char *result, uint64_t end_msec)
{
	static const char *const modes[] = {"check", "rehearse", "run", "finish", "way_back"};
	json_t *evidence = c->phase->evidence;

	json_object_set_new(evidence, "number", json_integer((json_int_t)c->request->number));
	json_object_set_new(evidence, "direction", json_string(c->phase->request.phase));
	json_object_set_new(evidence, "mode", json_string(modes[c->request->mode]));
	json_object_set_new(evidence, "result", json_string(result));
	json_object_set_new(evidence, "held_msec", json_integer((json_int_t)c->held_msec));
	put_msec(c, "freeze_msec", c->began_msec,
			c->flipped_msec > end_msec ? c->flipped_msec : end_msec);
	put_msec(c, "unwritable_msec", c->committed_msec, c->opened_msec);
	json_object_set(evidence, "steps", c->steps);
	if (c->flip != NULL) {
		json_object_set(evidence, "hooks", bm_flip_report(c->flip));
	}
}

/* ---- nothing has happened ---- */

/* Writers first. */
static uint64_t roll_back(struct bm_cutover *c)
{
	struct bm_error ignored = BM_ERROR_INIT;

	if (c->began_msec != 0) {
		PGresult *done = c->freeze != NULL && PQstatus(c->freeze) == CONNECTION_OK
				? bm_ask(c->freeze, "ROLLBACK", 0, NULL, 500, &ignored)
				: NULL;
		if (done == NULL) {
			PQfinish(c->freeze);
			c->freeze = NULL;
		}
		PQclear(done);
	}
	bm_cutover_hooks_resume(c);
	return bm_clock_msec();
}

/* Replication goes on; the daemon sees to it too, should this fail. */
static void undo(struct bm_cutover *c)
{
	struct bm_error failed = BM_ERROR_INIT;

	if (c->table_count > 0 || c->request->mode == BM_CUTOVER_FINISH) {
		bm_cutover_disarm(c);
	}
	PQfinish(c->hold);
	c->hold = NULL;
	if (c->is_quiet && bm_cutover_wake(c, &failed) != 0) {
		bm_report_note("the syncs are not active again: %s", failed.message);
	}
	bm_cutover_hooks_abort(c);
}

static int aborted(struct bm_cutover *c, struct bm_error *err)
{
	uint64_t end_msec = roll_back(c);
	uint64_t took_msec = c->began_msec != 0 ? end_msec - c->began_msec : 0;
	struct bm_error why = *err;

	undo(c);
	put_evidence(c, c->is_not_ready ? "not_ready" : "aborted", end_msec);
	if (c->is_not_ready) {
		return -1;
	}
	json_object_set_new(c->phase->evidence, "aborted_in", json_string(c->step));
	if (took_msec > 0) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"aborted in step '%s' after a freeze of %" PRIu64
				" ms, nothing has changed: %s",
				c->step, took_msec, why.message);
	}
	return bm_error_set(err, BM_ERR_PRECONDITION,
			"aborted in step '%s', nothing has changed: %s", c->step, why.message);
}

/* ---- the modes ---- */

/* After the point of no return: what fails is tried again. */
static int to_be_finished(struct bm_cutover *c, struct bm_error *err)
{
	put_evidence(c, "committed", c->opened_msec);
	err->code = BM_ERR_TRANSIENT;
	return bm_error_wrap(err, "committed, and to be finished");
}

static int replicate(struct bm_cutover *c, struct bm_error *err)
{
	PQfinish(c->hold);
	c->hold = NULL;
	if (DO(c, after, err) != 0) {
		return to_be_finished(c, err);
	}
	bm_cutover_rest(c, c->to);
	bm_cutover_objects_watch(c);
	put_evidence(c, "done", c->opened_msec);
	bm_report_note("applications write to the %s now%s", bm_side_name(c->to),
			c->began_msec == 0 ? ", as an attempt had decided whose worker was gone"
					   : "");
	return 0;
}

static int go_forward(struct bm_cutover *c, struct bm_error *err)
{
	return DO(c, opening, err) == 0 && DO(c, flipping, err) == 0 ? replicate(c, err)
								     : to_be_finished(c, err);
}

static int rehearsed(struct bm_cutover *c)
{
	uint64_t end_msec = roll_back(c);

	undo(c);
	put_evidence(c, "rehearsed", end_msec);
	return 0;
}

/* ---- again from step quiet on ---- */

#define ROUNDS 3

/* Writers go on; Bucardo does what we cannot. */
static int make_way(struct bm_cutover *c, struct bm_error *err)
{
	bool was_frozen = c->began_msec != 0;
	uint64_t end_msec = was_frozen ? roll_back(c) : 0;

	c->held_msec += was_frozen ? end_msec - c->began_msec : 0;
	c->began_msec = 0;
	PQfinish(c->hold);
	c->hold = NULL;
	/* A session that was lost: all is made anew. */
	if (c->freeze == NULL || PQtransactionStatus(c->freeze) != PQTRANS_IDLE ||
			PQtransactionStatus(c->carry) != PQTRANS_IDLE) {
		bm_apply_destroy(c->apply);
		c->apply = NULL;
		PQfinish(c->freeze);
		PQfinish(c->carry);
		c->freeze = c->carry = NULL;
	}
	return bm_cutover_wake(c, err);
}

static bool is_worth_another(struct bm_cutover *c, int round)
{
	struct bm_error ignored = BM_ERROR_INIT;

	return round < ROUNDS && c->is_quiet && bm_cutover_truncate_waits(c, &ignored) > 0;
}

/* All up to the fence. */
static int freeze(struct bm_cutover *c, struct bm_error *err)
{
	int rc = -1;

	for (int round = 1; rc != 0; round++) {
		rc = DO(c, ahead, err);
		rc = rc == 0 && !c->has_begun_hooks ? DO(c, hooking, err) : rc;
		rc = rc == 0 ? DO(c, frozen, err) : -1;
		if (rc == 0 || !is_worth_another(c, round)) {
			break;
		}
		bm_report_note("%s came meanwhile, in step '%s': Bucardo does it, and the attempt "
			       "goes on from step quiet",
				c->detail, c->step);
		*err = (struct bm_error)BM_ERROR_INIT;
		if (make_way(c, err) != 0) {
			break;
		}
	}
	return rc;
}

static int attempt(struct bm_cutover *c, struct bm_error *err)
{
	if (DO(c, before, err) != 0 || freeze(c, err) != 0) {
		return aborted(c, err);
	}
	if (c->request->mode == BM_CUTOVER_REHEARSE) {
		return rehearsed(c);
	}
	if (DO(c, commit, err) != 0) {
		return c->is_unknown ? bm_error_wrap(err, "not known whether it was committed")
				     : aborted(c, err);
	}
	return go_forward(c, err);
}

/* The worker of this attempt is gone: one definite side, and no freeze. */
static int finish(struct bm_cutover *c, struct bm_error *err)
{
	bool is_open = false;

	c->step = "find out";
	bm_report_progress(0, STEPS, "steps", "asking whether it was committed");
	if (bm_cutover_is_open(c, &is_open, err) != 0 ||
			bm_record_resolve(c, &c->is_committed, err) != 0) {
		return -1;
	}
	c->is_quiet = true;
	if (!c->phase->request.is_both && bm_cutover_drop_way_back(c, err) != 0) {
		return -1;
	}
	if (!c->is_committed) {
		bm_error_set(err, BM_ERR_PRECONDITION,
				"its worker was gone before the commit, and all was rolled back");
		return aborted(c, err);
	}
	if (!is_open) {
		static const struct step hold = {"hold",
				"keeping everybody else from changing sides", bm_cutover_hold};
		return bm_cutover_find_objects(c, err) == 0 && do_step(c, &hold, err) == 0
				? go_forward(c, err)
				: -1;
	}
	return DO(c, flipping, err) == 0 ? replicate(c, err) : to_be_finished(c, err);
}

static int make_way_back(struct bm_cutover *c, struct bm_error *err)
{
	if (DO(c, preparing, err) != 0) {
		return aborted(c, err);
	}
	put_evidence(c, "way_back", 0);
	return 0;
}

/* Before anything is: also before the way back is made. */
static int refuse(struct bm_cutover *c, struct bm_error *err)
{
	c->is_not_ready = true;
	return aborted(c, err);
}

static int begin(struct bm_cutover *c, struct bm_error *err)
{
	if (c->request->mode != BM_CUTOVER_FINISH &&
			bm_cutover_know_accepted(c->phase, err) != 0) {
		return refuse(c, err);
	}
	switch (c->request->mode) {
	case BM_CUTOVER_FINISH:
		return finish(c, err);
	case BM_CUTOVER_WAY_BACK:
		return make_way_back(c, err);
	case BM_CUTOVER_CHECK:
	case BM_CUTOVER_REHEARSE:
	case BM_CUTOVER_RUN:
		break;
	}
	return attempt(c, err);
}

int bm_cutover_run(struct bm_phase *phase, struct bm_error *err)
{
	struct bm_cutover c = {.phase = phase,
			.request = &phase->request.cutover,
			.from = bm_cutover_from(phase),
			.to = bm_cutover_to(phase),
			.step = "",
			.steps = NULL};

	if (c.request->mode == BM_CUTOVER_CHECK) {
		return bm_cutover_check(phase, err);
	}
	c.steps = json_array();
	c.flip = bm_cutover_hooks_create(phase, &c);
	/* Statements of ours hold nobody up. */
	phase->limits_sql = "SELECT set_config('lock_timeout', '100ms', false)";
	phase->catalog = c.from;
	int rc = begin(&c, err);
	bm_apply_destroy(c.apply);
	bm_cutover_hooks_settle(&c);
	bm_flip_destroy(c.flip);
	PQfinish(c.freeze);
	PQfinish(c.carry);
	PQfinish(c.hold);
	bm_cutover_forget_tables(&c);
	json_decref(c.steps);
	return rc;
}
