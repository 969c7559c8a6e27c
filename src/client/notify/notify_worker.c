/*
 * `worker notify`: tells receivers of changes of state.
 *
 * A client of the control socket like any other, in a process of its own, that asks for the
 * status once a second. What takes long, and what others wrote, is done by processes that it
 * starts (notify_receivers.h). Killing it costs nothing: what was told is on the volume.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/event.h"
#include "bucardo_machine/receivers.h"
#include "client/cli/command.h"
#include "client/commands/control_client.h"
#include "client/notify/notify_receivers.h"
#include "client/notify/notify_states.h"
#include "client/notify/notify_worker.h"

#define ASK_MSEC 1000

struct worker {
	struct bm_loop *loop;
	struct bm_timer *timer;
	struct notify_receivers *receivers;
	const char *runtime;
	json_t *reported; /* how they stood when the machine was told; NULL: it was not yet */
};

/* The machine is told how they stand when that has changed; until it was, again. */
static void report(struct worker *worker)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *list = notify_receivers_list(worker->receivers), *answer = NULL;

	if (!json_equal(list, worker->reported)) {
		answer = cli_client_call(worker->runtime, CLI_PROBE_TIMEOUT_MSEC,
				json_pack("{s:s, s:O}", "command", "notified", "receivers",
						list),
				&err);
	}
	if (answer != NULL) {
		json_decref(worker->reported);
		worker->reported = json_incref(list);
		json_decref(answer);
	}
	json_decref(list);
}

static void ask(void *ctx)
{
	struct worker *worker = ctx;
	struct bm_error err = BM_ERROR_INIT;
	json_t *answer = cli_client_call(worker->runtime, CLI_PROBE_TIMEOUT_MSEC,
			json_pack("{s:s, s:b}", "command", "status", "brief", 1), &err);
	const json_t *status = json_object_get(answer, "status");
	const json_t *ready = json_object_get(status, "ready");
	json_t *states = notify_states(status, err.message);

	notify_receivers_tell(worker->receivers, states,
			json_is_boolean(ready) ? json_is_true(ready) : -1);
	json_decref(states);
	json_decref(answer);
	report(worker);
	bm_timer_arm(worker->timer, ASK_MSEC);
}

static void on_signal(void *ctx, int signo)
{
	struct worker *worker = ctx;

	if (signo == SIGTERM || signo == SIGINT || signo == SIGQUIT) {
		bm_loop_stop(worker->loop);
	}
}

static int run(struct worker *worker, const char *text, const char *volume,
		struct bm_error *err)
{
	worker->loop = bm_loop_create(err);
	if (worker->loop == NULL) {
		return -1;
	}
	worker->receivers = notify_receivers_create(worker->loop, text, volume, err);
	/* Neither programs of others nor posts read it there. */
	unsetenv(BM_RECEIVERS_VARIABLE);
	if (worker->receivers != NULL) {
		worker->timer = bm_timer_create(worker->loop, ask, worker);
		bm_timer_arm(worker->timer, 0);
		bm_loop_on_signal(worker->loop, on_signal, worker);
		bm_loop_run(worker->loop);
		bm_timer_close(worker->timer);
	}
	int rc = worker->receivers != NULL ? 0 : -1;
	notify_receivers_destroy(worker->receivers);
	json_decref(worker->reported);
	bm_loop_destroy(worker->loop);
	return rc;
}

/* RUNTIME VOLUME: the daemon types it (notify_unit.c); or post. */
int cli_worker_notify(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	const char *text = getenv(BM_RECEIVERS_VARIABLE);

	if (call->word_count == 2 && strcmp(call->words[1], "post") == 0) {
		return notify_post();
	}
	if (call->word_count != 3 || text == NULL) {
		fprintf(stderr, "bucardo-machine: worker notify is started by the machine itself\n");
		return CLI_USAGE;
	}
	struct worker worker = {.runtime = call->words[1]};
	if (bm_event_begin(&err) != 0 || run(&worker, text, call->words[2], &err) != 0) {
		fprintf(stderr, "bucardo-machine: worker notify: %s\n", err.message);
		return CLI_FAILED;
	}
	return CLI_OK;
}
