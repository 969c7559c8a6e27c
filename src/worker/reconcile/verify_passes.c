/*
 * `worker verify`: passes over all tables, for as long as the migration replicates.
 *
 * What it knows is in the source: killed at any moment it goes on there, and has lost what it
 * was reading. A person's verification comes first: it is noticed between two readings, and the
 * pass ends.
 */
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>

#include "base/protocol/report.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/verify.h"
#include "worker/live/pass.h"
#include "worker/reconcile/verify_load.h"
#include "worker/reconcile/verify_news.h"
#include "worker/session/serve.h"
#include "worker/scan/proofs.h"

/* The first pass leaves a migration that has just begun to replicate alone. */
#define FIRST_MSEC 10000

/* How often it is looked whether a person wants to verify, and what one has found. */
#define LOOK_MSEC 1000
#define STATES_MSEC 3000
#define TELL_FACTOR 50

#define SLICE_MSEC 250

/* One reading, and how long rows under way are waited for. */
#define BATCH_MSEC 100
#define WAIT_MSEC 5000

/* A table without a key is read again after this time while it is not proven. */
#define WHOLE_AGAIN_MSEC ((uint64_t)5 * 60 * 1000)

/* A server or a network that does not answer. */
#define ASK_LIMIT_MSEC 60000

/* A line this often at least, so that what is shown is not old. */
#define QUIET_MSEC 10000

struct watch {
	struct bm_phase *phase;
	struct bm_conninfo source, destination;
	struct bm_verify_load load;
	struct bm_verify_objects *objects;
	struct bm_proof_states states; /* as they were told last */
	bool has_told;
	json_t *last; /* line */
	uint64_t last_msec, looked_msec;
	uint64_t report_at_msec; /* not before: reading what is known is work too */
	uint64_t busy_msec;	 /* of this pass, without its rests */
	struct bm_error err;	 /* why a pass was ended */
	bool has_failed;
};

/* ---- what is told ---- */

static int report_states(struct watch *watch, struct bm_error *err)
{
	uint64_t begun_msec = bm_clock_msec();
	struct bm_phase *phase = watch->phase;
	PGconn *source = bm_phase_conn(phase, BM_SIDE_SOURCE, err);
	const char *name = phase->request.name;
	struct bm_proof_states now = {0};
	json_t *rows = NULL;

	if (source == NULL || bm_proof_states_read(source, name, &now, err) != 0 ||
			(rows = bm_proof_differences(source, name, 5, err)) == NULL) {
		bm_proof_states_finish(&now);
		return -1;
	}
	bm_verify_report(name, &now, rows, phase->evidence);
	bm_verify_load_tell(&watch->load, phase->evidence);
	json_decref(rows);
	if (watch->has_told) {
		bm_verify_report_news(name, &watch->states, &now);
	}
	bm_proof_states_finish(&watch->states);
	watch->states = now;
	watch->has_told = true;
	uint64_t at = bm_clock_msec(), rest_msec = (at - begun_msec) * TELL_FACTOR;
	watch->report_at_msec = at + (rest_msec > STATES_MSEC ? rest_msec : STATES_MSEC);
	if (watch->last == NULL || !json_equal(watch->last, phase->evidence) ||
			at - watch->last_msec >= QUIET_MSEC) {
		json_decref(watch->last);
		watch->last = json_deep_copy(phase->evidence);
		watch->last_msec = at;
		bm_report_reconciled(json_incref(phase->evidence));
	}
	return 0;
}

static int report_if_due(struct watch *watch, struct bm_error *err)
{
	return bm_clock_msec() >= watch->report_at_msec ? report_states(watch, err) : 0;
}

static int report_first_proof(struct watch *watch, struct bm_error *err)
{
	PGconn *source = bm_phase_conn(watch->phase, BM_SIDE_SOURCE, err);
	int first = source == NULL
			? -1
			: bm_proof_states_all_equal(source, watch->phase->request.name, err);

	if (first > 0) {
		size_t tables = bm_verify_tables(&watch->states);
		bm_report_note("verify: every row of all %zu table%s is proven equal", tables,
				tables == 1 ? "" : "s");
	}
	return first < 0 ? -1 : 0;
}

/* ---- between two readings ---- */

/* 1: a person wants to verify, so the pass ends. */
static int is_wanted_by_a_person(struct watch *watch, struct bm_error *err)
{
	uint64_t now = bm_clock_msec();
	PGconn *source = bm_phase_conn(watch->phase, BM_SIDE_SOURCE, err);

	if (source == NULL || now - watch->looked_msec < LOOK_MSEC) {
		return source == NULL ? -1 : 0;
	}
	watch->looked_msec = now;
	int wanted = bm_proofs_are_wanted(source, watch->phase->request.name, err);
	return wanted < 0 || report_if_due(watch, err) != 0 ? -1 : wanted;
}

/* Our own session may be lost as those of the pass: it is made again. */
static bool may_go_on(struct watch *watch)
{
	struct bm_error err = BM_ERROR_INIT;
	int wanted = is_wanted_by_a_person(watch, &err);

	if (wanted < 0 && err.code == BM_ERR_SQL) {
		watch->err = err;
		watch->has_failed = true;
	}
	return wanted == 0 || (wanted < 0 && !watch->has_failed);
}

static bool rest(void *ctx, uint64_t took_msec, uint64_t bytes)
{
	struct watch *watch = ctx;
	struct bm_error err = BM_ERROR_INIT;
	PGconn *source = bm_phase_conn(watch->phase, BM_SIDE_SOURCE, &err);
	uint64_t end_msec = bm_clock_msec();

	if (source != NULL) {
		end_msec += bm_verify_load_rest(&watch->load, source, took_msec, bytes);
	}
	watch->busy_msec += took_msec;
	bool goes_on = may_go_on(watch);
	for (uint64_t now; goes_on && (now = bm_clock_msec()) < end_msec;) {
		uint64_t left = end_msec - now;
		poll(NULL, 0, (int)(left < SLICE_MSEC ? left : SLICE_MSEC));
		goes_on = may_go_on(watch);
		source = goes_on ? bm_phase_conn(watch->phase, BM_SIDE_SOURCE, &err) : NULL;
		if (source != NULL) {
			bm_verify_load_look(&watch->load, source);
		}
	}
	return goes_on;
}

/* What has no key is read whole now and then only. */
static bool is_due(void *ctx, const char *table, bool has_key)
{
	const struct watch *watch = ctx;
	const struct bm_proof_state *state = bm_proof_states_find(&watch->states, table);
	uint64_t full = watch->phase->request.verify.full_every_msec;
	uint64_t again = state != NULL && state->state != BM_PROOF_EQUAL &&
					full > WHOLE_AGAIN_MSEC
			? WHOLE_AGAIN_MSEC
			: full;

	return has_key || state == NULL || state->is_waiting || state->age_msec < 0 ||
			(uint64_t)state->age_msec >= again;
}

/* ---- a pass ---- */

/* 1: somebody else verifies, or wants to. */
static int run_pass(struct watch *watch, struct bm_error *err)
{
	const struct bm_phase_request *request = &watch->phase->request;
	struct bm_verify_beside beside = {.max_age_msec = request->verify.full_every_msec,
			.batch_msec = BATCH_MSEC,
			.rest = rest,
			.is_due = is_due,
			.ctx = watch,
			.objects = watch->objects,
			.interval_msec = request->verify.interval_msec};
	const struct bm_verify_options options = {.source = &watch->source,
			.destination = &watch->destination,
			.filter = &request->filter,
			.roles = &request->roles,
			.extensions = &request->extensions,
			.migration = request->name,
			.trusting = true,
			.beside = &beside,
			.wait_msec = WAIT_MSEC};
	enum bm_proof result;
	PGconn *source = bm_phase_conn(watch->phase, BM_SIDE_SOURCE, err);

	watch->busy_msec = 0;
	int claimed = source == NULL ? -1 : bm_proofs_are_claimed(source, request->name, err);
	if (claimed != 0) {
		return claimed;
	}
	if (bm_verify_load_learn(&watch->load, source, err) != 0) {
		return -1;
	}
	json_t *report = bm_verify_run(&options, &result, err);
	json_decref(report);
	if (watch->has_failed) {
		*err = watch->err;
		return -1;
	}
	if (report == NULL && !beside.is_kept_by_another) {
		return -1;
	}
	return beside.is_kept_by_another || beside.is_ended;
}

/* Until the next pass is due; what a person's verification finds meanwhile is told. */
static int rest_between(struct watch *watch, uint64_t msec, struct bm_error *err)
{
	uint64_t end_msec = bm_clock_msec() + msec, now;
	int rc = report_if_due(watch, err);

	while (rc == 0 && (now = bm_clock_msec()) < end_msec) {
		uint64_t left = end_msec - now;
		poll(NULL, 0, (int)(left < LOOK_MSEC ? left : LOOK_MSEC));
		rc = report_if_due(watch, err);
	}
	return rc;
}

/* Looking at rows that are under way is work too. */
static uint64_t pause_of(const struct watch *watch)
{
	const struct bm_verify_request *verify = &watch->phase->request.verify;

	return verify->interval_msec > watch->busy_msec ? verify->interval_msec
							: watch->busy_msec;
}

static int verify_for_ever(struct bm_phase *phase, struct bm_error *err)
{
	struct watch watch = {.phase = phase,
			.load = {.max_load = phase->request.verify.max_load},
			.objects = bm_verify_objects_new(),
			.err = BM_ERROR_INIT};
	uint64_t interval = phase->request.verify.interval_msec;

	phase->limit_msec = ASK_LIMIT_MSEC;
	bm_phase_conninfo(phase, BM_SIDE_SOURCE, &watch.source);
	bm_phase_conninfo(phase, BM_SIDE_DESTINATION, &watch.destination);
	int rc = rest_between(&watch, interval < FIRST_MSEC ? interval : FIRST_MSEC, err);
	while (rc == 0) {
		int ended = run_pass(&watch, err);
		rc = ended < 0 ? -1 : report_states(&watch, err);
		if (rc == 0 && ended == 0) {
			rc = report_first_proof(&watch, err);
		}
		if (rc == 0) {
			rc = rest_between(
					&watch, ended > 0 ? LOOK_MSEC : pause_of(&watch), err);
		}
	}
	bm_conninfo_finish(&watch.source);
	bm_conninfo_finish(&watch.destination);
	bm_proof_states_finish(&watch.states);
	bm_verify_objects_free(watch.objects);
	json_decref(watch.last);
	return rc;
}

int bm_verify_worker_run(void)
{
	return bm_phase_serve("verify", true, verify_for_ever);
}
