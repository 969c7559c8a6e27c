/* The passes of `worker reconcile`. */
#include "worker/live/pass.h"

#include <jansson.h>
#include <poll.h>
#include <stdlib.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "worker/tables/emptied.h"
#include "worker/live/identity.h"
#include "worker/live/live.h"
#include "worker/tables/capture_watch.h"
#include "worker/deltas/delta_repair.h"
#include "base/protocol/report.h"
#include "worker/tables/resend.h"
#include "worker/reconcile/table_paths.h"
#include "worker/reconcile/foreign_keys.h"
#include "worker/tables/table_keys.h"
#include "worker/tables/table_names.h"
#include "worker/tables/table_pause.h"
#include "worker/tables/refused_tables.h"
#include "worker/reconcile/largest_tables.h"
#include "worker/reconcile/shared_tables.h"
#include "worker/reconcile/not_in_step.h"
#include "worker/session/own_schemas.h"
#include "worker/session/serve.h"
#include "worker/session/alone.h"

/* Between two passes; how long a destination may be behind its head-room. It rests
 * ten times as long as transferring them took, within these bounds. */
#define PASS_MSEC 3000
#define PASS_LIMIT_MSEC 15000
#define REST_FACTOR 10

/* How long somebody who lifts the fence waits to be heard. */
#define SLICE_MSEC 300

/* A line this often at least: the sign of life. */
#define QUIET_MSEC 10000

/* A server or a network that does not answer; longer than statement_timeout below. */
#define ASK_LIMIT_MSEC 120000

/* Nothing here may hold anybody up. */
static const char limits_sql[] = "SELECT set_config('lock_timeout', '300ms', false),"
				 " set_config('statement_timeout', '60s', false)";

void bm_pass_note(struct bm_pass *pass, const char *what, const char *text)
{
	if (json_object_get(pass->reported, what) == NULL) {
		json_object_set_new(pass->reported, what, json_true());
		bm_report_note("%s", text);
	}
}

bool bm_pass_forget(struct bm_pass *pass, const char *what)
{
	return json_object_del(pass->reported, what) == 0;
}

/* A pass that takes long shows that it goes on. */
static void on_ask(void)
{
	static uint64_t last_msec;
	uint64_t now = bm_clock_msec();

	if (now - last_msec >= QUIET_MSEC) {
		last_msec = now;
		bm_report_progress(0, 0, "tables", "reconcile");
	}
}

/* What a server refuses is told and tried again; a lost connection ends the worker. */
static int report_refusal(
		struct bm_pass *pass, const char *name, json_t *problems, struct bm_error *err)
{
	if (err->code != BM_ERR_SQL) {
		return -1;
	}
	json_array_append_new(problems, bm_json_text(err->message));
	bm_pass_note(pass, name, err->message);
	bm_pass_problem(pass, name, err->message);
	return 0;
}

static int do_part(struct bm_pass *pass, const char *name,
		int (*part)(struct bm_pass *pass, struct bm_error *err), json_t *problems,
		struct bm_error *err)
{
	*err = (struct bm_error)BM_ERROR_INIT;
	if (part(pass, err) == 0) {
		bm_pass_forget(pass, name);
		bm_pass_solved(pass, name);
		return 0;
	}
	return report_refusal(pass, name, problems, err);
}

/* Somebody who lifts or raises the fence waits until they are set once more, and wants to know
 * what waits on the source. */
static int transfer_sequences(struct bm_pass *pass, json_t *problems, struct bm_error *err)
{
	int64_t asked = 0;
	int rc = bm_live_asked(pass, &asked, err);

	if (rc == 0) {
		rc = do_part(pass, "sequences", bm_reconcile_sequences, problems, err);
	}
	if (rc == 0 && asked > 0) {
		rc = bm_live_report_waiting(pass, asked, err);
	}
	return rc == 0 && asked > 0 && pass->are_transferred ? bm_live_answer(pass, asked, err)
							     : rc;
}

/* What is needed at both sides; made again after it may have been dropped there. */
static int prepare_all(struct bm_pass *pass, struct bm_error *err)
{
	static int (*const at_side[])(struct bm_phase * phase, enum bm_side side,
			struct bm_error * err) = {bm_identity_prepare, bm_delta_repair_renew};
	static int (*const parts[])(struct bm_pass * pass, struct bm_error * err) = {
			bm_live_prepare, bm_capture_watch_prepare, bm_pause_prepare,
			bm_resend_prepare, bm_names_prepare, bm_refused_prepare,
			bm_emptied_prepare};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(at_side); i++) {
		rc = at_side[i](pass->phase, BM_SIDE_SOURCE, err);
		if (rc == 0) {
			rc = at_side[i](pass->phase, BM_SIDE_DESTINATION, err);
		}
	}
	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(parts); i++) {
		rc = parts[i](pass, err);
	}
	return rc;
}

static int prepare(struct bm_pass *pass, struct bm_error *err)
{
	bool here = bm_alone_begin(pass->phase, BM_SIDE_SOURCE);
	bool there = bm_alone_begin(pass->phase, BM_SIDE_DESTINATION);
	int rc = prepare_all(pass, err);

	bm_alone_end(pass->phase, BM_SIDE_DESTINATION, there);
	bm_alone_end(pass->phase, BM_SIDE_SOURCE, here);
	return rc;
}

/* Whose migration it is, and whether both sides are as they were left. 1: nothing else is
 * to be done, which is told; or -1. */
static int keep_identity(struct bm_pass *pass, json_t *problems, struct bm_error *err)
{
	int rc = bm_identity_check(pass, err);
	bool again = rc == 0 && pass->was_stopped;

	pass->was_stopped = rc != 0;
	if (rc >= 0) {
		bm_pass_solved(pass, "identity");
	}
	if (rc < 0) {
		return report_refusal(pass, "identity", problems, err) == 0 ? 1 : -1;
	}
	return again ? prepare(pass, err) : rc;
}

/* Before anything is called there. 1: somebody else may have put it there, and nothing is done.
 */
static int keep_schemas(struct bm_pass *pass, json_t *problems, struct bm_error *err)
{
	for (size_t i = 0; i < 2; i++) {
		enum bm_side side = i == 0 ? BM_SIDE_SOURCE : BM_SIDE_DESTINATION;
		if (bm_phase_do(pass->phase, side, bm_own_schemas_sql, 0, NULL, err) != 0) {
			bm_error_wrap(err, "on the %s", bm_side_name(side));
			return report_refusal(pass, "schemas", problems, err) == 0 ? 1 : -1;
		}
	}
	bm_pass_forget(pass, "schemas");
	bm_pass_solved(pass, "schemas");
	return 0;
}

/* `*sequences_msec`: how long the sequences took; checks of tables rest by themselves. */
static int do_pass(struct bm_pass *pass, uint64_t *sequences_msec, struct bm_error *err)
{
	json_t *problems = json_array();
	uint64_t begun = bm_clock_msec();

	*sequences_msec = 0;
	json_object_set_new(pass->phase->evidence, "problems", problems);
	int rc = keep_schemas(pass, problems, err);
	if (rc == 0) {
		rc = keep_identity(pass, problems, err);
	}
	if (rc != 0) {
		return rc < 0 ? -1 : 0;
	}
	rc = bm_live_find(pass, err);

	if (rc == 0) {
		rc = do_part(pass, "keys", bm_keys_pass, problems, err);
	}
	if (rc == 0) {
		rc = transfer_sequences(pass, problems, err);
	}
	*sequences_msec = bm_clock_msec() - begun;
	if (rc == 0) {
		rc = do_part(pass, "tables", bm_reconcile_tables, problems, err);
	}
	if (rc == 0) {
		rc = do_part(pass, "fence", bm_live_keep_fence, problems, err);
	}
	if (rc == 0) {
		rc = do_part(pass, "fence", bm_live_keep_source_fence, problems, err);
	}
	if (rc == 0) {
		rc = do_part(pass, "shared tables", bm_reconcile_shared_tables, problems, err);
	}
	if (rc == 0) {
		rc = do_part(pass, "live side", bm_live_report, problems, err);
	}
	if (rc == 0) {
		rc = do_part(pass, "paths", bm_reconcile_paths, problems, err);
	}
	if (rc == 0) {
		rc = do_part(pass, "foreign keys", bm_reconcile_foreign_keys, problems, err);
	}
	if (rc == 0) {
		rc = do_part(pass, "purge", bm_pass_look_at_purge, problems, err);
	}
	if (rc == 0) {
		rc = bm_reconcile_largest_tables(pass, err);
	}
	if (rc == 0) {
		rc = do_part(pass, "counts", bm_reconcile_not_in_step, problems, err);
	}
	return rc;
}

static void report(struct bm_pass *pass, json_t **last, uint64_t *last_msec)
{
	uint64_t now = bm_clock_msec();

	if (*last != NULL && json_equal(*last, pass->phase->evidence) &&
			now - *last_msec < QUIET_MSEC) {
		return;
	}
	json_decref(*last);
	*last = json_deep_copy(pass->phase->evidence);
	*last_msec = now;
	bm_report_reconciled(json_incref(pass->phase->evidence));
}

static uint64_t rest_msec(uint64_t sequences_msec)
{
	uint64_t rest = sequences_msec * REST_FACTOR;

	if (rest < PASS_MSEC) {
		return PASS_MSEC;
	}
	return rest < PASS_LIMIT_MSEC ? rest : PASS_LIMIT_MSEC;
}

/* Until the next pass is due, or somebody waits for it. The end of stdin ends us here too. */
static int rest(struct bm_pass *pass, uint64_t sequences_msec, struct bm_error *err)
{
	uint64_t end_msec = bm_clock_msec() + rest_msec(sequences_msec);
	int64_t asked = 0;
	int rc = 0;

	while (rc == 0 && asked == 0 && bm_clock_msec() < end_msec) {
		poll(NULL, 0, SLICE_MSEC);
		/* Nobody is answered while it is stopped. */
		rc = pass->was_stopped ? 0 : bm_live_asked(pass, &asked, err);
	}
	return rc;
}

static int reconcile_for_ever(struct bm_phase *phase, struct bm_error *err)
{
	struct bm_pass pass = {.phase = phase,
			.reported = json_object(),
			.ignored = json_object(),
			.keyless = json_object(),
			.stuck = json_object()};
	json_t *last = NULL;
	uint64_t last_msec = 0, sequences_msec;

	phase->limits_sql = limits_sql;
	phase->limit_msec = ASK_LIMIT_MSEC;
	phase->on_ask = on_ask;
	int rc = 0;

	pass.was_stopped = true; /* nothing is made on a side before it is known to be ours */
	while (rc == 0 && (rc = do_pass(&pass, &sequences_msec, err)) == 0) {
		bm_pass_report_stuck(&pass);
		report(&pass, &last, &last_msec);
		rc = rest(&pass, sequences_msec, err);
	}
	json_decref(last);
	json_decref(pass.reported);
	json_decref(pass.seen);
	json_decref(pass.ignored);
	json_decref(pass.keyless);
	json_decref(pass.stuck);
	json_decref(pass.drifted);
	json_decref(pass.left);
	json_decref(pass.counted);
	free(pass.failed);
	return rc;
}

int bm_reconcile_run(void)
{
	return bm_phase_serve("reconcile", false, reconcile_for_ever);
}
