/* The rounds of `worker tend`. */
#include "worker/live/tend.h"

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
#include "worker/deltas/lossless.h"
#include "base/protocol/report.h"
#include "worker/tables/resend.h"
#include "worker/reconcile/table_paths.h"
#include "worker/reconcile/tend_foreign.h"
#include "worker/tables/tend_keys.h"
#include "worker/tables/tend_names.h"
#include "worker/tables/tend_pause.h"
#include "worker/tables/tend_refused.h"
#include "worker/reconcile/tend_shared.h"
#include "worker/reconcile/tend_unkept.h"
#include "worker/session/serve.h"

/* Between two rounds; how long a destination may be behind its head-room. It rests
 * ten times as long as carrying took, within these bounds. */
#define ROUND_MSEC 3000
#define ROUND_LIMIT_MSEC 15000
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

void bm_tend_note(struct bm_tend *tend, const char *what, const char *text)
{
	if (json_object_get(tend->told, what) == NULL) {
		json_object_set_new(tend->told, what, json_true());
		bm_report_note("%s", text);
	}
}

bool bm_tend_forget(struct bm_tend *tend, const char *what)
{
	return json_object_del(tend->told, what) == 0;
}

/* A round that takes long shows that it goes on. */
static void on_ask(void)
{
	static uint64_t last_msec;
	uint64_t now = bm_clock_msec();

	if (now - last_msec >= QUIET_MSEC) {
		last_msec = now;
		bm_report_progress(0, 0, "tables", "tending");
	}
}

/* What a server refuses is told and tried again; a lost connection ends the worker. */
static int note_refusal(
		struct bm_tend *tend, const char *name, json_t *problems, struct bm_error *err)
{
	if (err->code != BM_ERR_SQL) {
		return -1;
	}
	json_array_append_new(problems, bm_json_text(err->message));
	bm_tend_note(tend, name, err->message);
	return 0;
}

static int do_part(struct bm_tend *tend, const char *name,
		int (*part)(struct bm_tend *tend, struct bm_error *err), json_t *problems,
		struct bm_error *err)
{
	*err = (struct bm_error)BM_ERROR_INIT;
	if (part(tend, err) == 0) {
		bm_tend_forget(tend, name);
		return 0;
	}
	return note_refusal(tend, name, problems, err);
}

/* Somebody who lifts or raises the fence waits until they are set once more, and wants to know
 * what waits on the source. */
static int carry_sequences(struct bm_tend *tend, json_t *problems, struct bm_error *err)
{
	int64_t asked = 0;
	int rc = bm_live_asked(tend, &asked, err);

	if (rc == 0) {
		rc = do_part(tend, "sequences", bm_tend_sequences, problems, err);
	}
	if (rc == 0 && asked > 0) {
		rc = bm_live_report(tend, asked, err);
	}
	return rc == 0 && asked > 0 && tend->are_carried ? bm_live_answer(tend, asked, err)
							 : rc;
}

/* What is needed at both ends; made again after it may have been dropped there. */
static int prepare(struct bm_tend *tend, struct bm_error *err)
{
	static int (*const at_end[])(struct bm_phase * phase, enum bm_end end,
			struct bm_error * err) = {bm_identity_prepare, bm_lossless_renew};
	static int (*const parts[])(struct bm_tend * tend, struct bm_error * err) = {
			bm_live_prepare, bm_capture_watch_prepare, bm_pause_prepare,
			bm_resend_prepare, bm_names_prepare, bm_refused_prepare,
			bm_emptied_prepare};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(at_end); i++) {
		rc = at_end[i](tend->phase, BM_END_SOURCE, err);
		if (rc == 0) {
			rc = at_end[i](tend->phase, BM_END_DESTINATION, err);
		}
	}
	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(parts); i++) {
		rc = parts[i](tend, err);
	}
	return rc;
}

/* Whose migration it is, and whether both sides are as they were left. 1: nothing else is
 * to be done, which is told; or -1. */
static int keep_identity(struct bm_tend *tend, json_t *problems, struct bm_error *err)
{
	int rc = bm_identity_check(tend, err);
	bool again = rc == 0 && tend->was_stopped;

	tend->was_stopped = rc != 0;
	if (rc < 0) {
		return note_refusal(tend, "identity", problems, err) == 0 ? 1 : -1;
	}
	return again ? prepare(tend, err) : rc;
}

/* `*carried_msec`: how long the sequences took; looks at tables rest by themselves. */
static int go_round(struct bm_tend *tend, uint64_t *carried_msec, struct bm_error *err)
{
	json_t *problems = json_array();
	uint64_t begun = bm_clock_msec();

	*carried_msec = 0;
	json_object_set_new(tend->phase->evidence, "problems", problems);
	int rc = keep_identity(tend, problems, err);
	if (rc != 0) {
		return rc < 0 ? -1 : 0;
	}
	rc = bm_live_find(tend, err);

	if (rc == 0) {
		rc = do_part(tend, "keys", bm_keys_pass, problems, err);
	}
	if (rc == 0) {
		rc = carry_sequences(tend, problems, err);
	}
	*carried_msec = bm_clock_msec() - begun;
	if (rc == 0) {
		rc = do_part(tend, "tables", bm_tend_tables, problems, err);
	}
	if (rc == 0) {
		rc = do_part(tend, "fence", bm_live_keep_fence, problems, err);
	}
	if (rc == 0) {
		rc = do_part(tend, "shared tables", bm_tend_shared, problems, err);
	}
	if (rc == 0) {
		rc = do_part(tend, "live side", bm_live_tell, problems, err);
	}
	if (rc == 0) {
		rc = do_part(tend, "paths", bm_tend_paths, problems, err);
	}
	if (rc == 0) {
		rc = do_part(tend, "foreign keys", bm_tend_foreign, problems, err);
	}
	if (rc == 0) {
		rc = do_part(tend, "counts", bm_tend_unkept, problems, err);
	}
	return rc;
}

static void tell(struct bm_tend *tend, json_t **last, uint64_t *last_msec)
{
	uint64_t now = bm_clock_msec();

	if (*last != NULL && json_equal(*last, tend->phase->evidence) &&
			now - *last_msec < QUIET_MSEC) {
		return;
	}
	json_decref(*last);
	*last = json_deep_copy(tend->phase->evidence);
	*last_msec = now;
	bm_report_tended(json_incref(tend->phase->evidence));
}

static uint64_t rest_msec(uint64_t carried_msec)
{
	uint64_t rest = carried_msec * REST_FACTOR;

	if (rest < ROUND_MSEC) {
		return ROUND_MSEC;
	}
	return rest < ROUND_LIMIT_MSEC ? rest : ROUND_LIMIT_MSEC;
}

/* Until the next round is due, or somebody waits for it. The end of stdin ends us here too. */
static int rest(struct bm_tend *tend, uint64_t carried_msec, struct bm_error *err)
{
	uint64_t end_msec = bm_clock_msec() + rest_msec(carried_msec);
	int64_t asked = 0;
	int rc = 0;

	while (rc == 0 && asked == 0 && bm_clock_msec() < end_msec) {
		poll(NULL, 0, SLICE_MSEC);
		/* Nobody is answered while it is stopped. */
		rc = tend->was_stopped ? 0 : bm_live_asked(tend, &asked, err);
	}
	return rc;
}

static int tend_for_ever(struct bm_phase *phase, struct bm_error *err)
{
	struct bm_tend tend = {.phase = phase,
			.told = json_object(),
			.aside = json_object(),
			.keyless = json_object()};
	json_t *last = NULL;
	uint64_t last_msec = 0, carried_msec;

	phase->limits_sql = limits_sql;
	phase->limit_msec = ASK_LIMIT_MSEC;
	phase->on_ask = on_ask;
	int rc = 0;

	tend.was_stopped = true; /* nothing is made on a side before it is known to be ours */
	while (rc == 0 && (rc = go_round(&tend, &carried_msec, err)) == 0) {
		tell(&tend, &last, &last_msec);
		rc = rest(&tend, carried_msec, err);
	}
	json_decref(last);
	json_decref(tend.told);
	json_decref(tend.seen);
	json_decref(tend.aside);
	json_decref(tend.keyless);
	json_decref(tend.drifted);
	json_decref(tend.left);
	json_decref(tend.counted);
	free(tend.failed);
	return rc;
}

int bm_tend_run(void)
{
	return bm_phase_serve("tend", false, tend_for_ever);
}
