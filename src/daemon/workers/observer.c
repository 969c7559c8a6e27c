/*
 * The parent side of `worker observe`: keeps one running, turns its lines into
 * observations. A worker that dies, is silent or talks nonsense is killed and
 * started again after a pause that grows while that goes on.
 */
#include "bucardo_machine/observer.h"

#include <stdio.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/watchdog.h"
#include "bucardo_machine/worker_child.h"
#include "bucardo_machine/observation.h"
#include "base/protocol/observe_request.h"

/* A worker prints every 5 s. One that neither does so nor works hangs; one that works is given
 * much longer (watchdog.h). */
#define SILENCE_MSEC 20000
#define SILENCE_LIMIT_MSEC (10 * 60 * 1000)

#define PAUSE_FIRST_MSEC 500
#define PAUSE_LIMIT_MSEC 30000

/* A worker that lived this long was healthy: the next pause is short again. */
#define STABLE_MSEC 60000

struct bm_observer {
	struct bm_loop *loop;
	char *program, *pgpass;
	struct bm_observe_request request;
	void (*cb)(void *ctx, const struct bm_observation *observation);
	void (*down)(void *ctx, const char *why);
	void *ctx;

	bool is_wanted;
	bool is_waiting; /* the worker said that it cannot look */
	uint64_t started_msec, ended_msec, retry_at_msec;
	uint64_t pause_msec;
	unsigned starts, failures;
	char last_exit[BM_EXIT_TEXT_SIZE];
	char why[256];
	struct bm_worker_child *child; /* the last one, until the next is started; or NULL */
	struct bm_watchdog *silence;
	struct bm_timer *restart;
};

/* ---- its end ---- */

static void end_worker(struct bm_observer *observer)
{
	bm_worker_child_end(observer->child);
	bm_watchdog_rest(observer->silence);
}

/* `why` may be a text of the lines that are closed here: it is used up before. */
static void fail(struct bm_observer *observer, const char *why)
{
	char *reason = bm_strdup(why);

	observer->ended_msec = bm_clock_msec();
	if (observer->ended_msec - observer->started_msec >= STABLE_MSEC) {
		observer->pause_msec = PAUSE_FIRST_MSEC;
		observer->failures = 0;
	}
	observer->failures++;
	bm_text_copy(observer->why, sizeof(observer->why), why);
	if (bm_worker_child_pid(observer->child) != 0) {
		bm_text_copy(observer->last_exit, sizeof(observer->last_exit),
				"killed by SIGKILL");
	}
	end_worker(observer);
	bm_timer_arm(observer->restart, observer->pause_msec);
	observer->retry_at_msec = observer->ended_msec + observer->pause_msec;
	observer->pause_msec *= 2;
	if (observer->pause_msec > PAUSE_LIMIT_MSEC) {
		observer->pause_msec = PAUSE_LIMIT_MSEC;
	}
	/* Last: the callback may destroy the observer. */
	if (observer->down != NULL) {
		observer->down(observer->ctx, reason);
	}
	free(reason);
}

static void on_exit_of_worker(void *ctx, pid_t pid, int status)
{
	struct bm_observer *observer = ctx;
	char *why = bm_format("the observe worker ended: %s",
			bm_exit_text(status, observer->last_exit));

	(void)pid;
	fail(observer, why);
	free(why);
}

static void on_silence(void *ctx, const char *why)
{
	char *text = bm_format("the observe worker %s", why);

	fail(ctx, text);
	free(text);
}

/* ---- its lines ---- */

static void take_waiting(struct bm_observer *observer, const char *why)
{
	bool is_new = !observer->is_waiting;

	observer->is_waiting = true;
	if (is_new && observer->down != NULL) {
		observer->down(observer->ctx, why);
	}
}

static void take_line(struct bm_observer *observer, const char *text, size_t length)
{
	struct bm_observation_line line;
	struct bm_error err = BM_ERROR_INIT;

	if (bm_observation_decode(text, length, bm_clock_msec(), &line, &err) != 0) {
		fail(observer, err.message);
	} else if (line.waiting != NULL) {
		bm_watchdog_received(observer->silence);
		take_waiting(observer, line.waiting);
	} else {
		bm_watchdog_received(observer->silence);
		observer->is_waiting = false;
		observer->cb(observer->ctx, &line.observation);
	}
	bm_observation_line_finish(&line);
}

static void on_sample(void *ctx, enum bm_lines_event event, const char *text, size_t length)
{
	switch (event) {
	case BM_LINES_LINE:
		take_line(ctx, text, length);
		break;
	case BM_LINES_PARTIAL:
		fail(ctx, "the observe worker printed a line that is too long");
		break;
	case BM_LINES_END: /* its exit follows, or silence does */
		break;
	}
}

/* ---- its start ---- */

static struct bm_worker_child *start_worker(struct bm_observer *observer, struct bm_error *err)
{
	char *request = bm_observe_request_encode(&observer->request);
	const struct bm_worker_child_options options = {.program = observer->program,
			.worker = "observe",
			.pgpass = observer->pgpass,
			.subject = "observe",
			.request = request,
			.line_bytes = BM_OBSERVATION_LINE_BYTES,
			.on_line = on_sample,
			.on_exit = on_exit_of_worker,
			.ctx = observer};
	struct bm_worker_child *child = bm_worker_child_start(observer->loop, &options, err);

	free(request);
	return child;
}

static void on_restart(void *ctx)
{
	struct bm_observer *observer = ctx;
	struct bm_error err = BM_ERROR_INIT;

	observer->started_msec = bm_clock_msec();
	observer->retry_at_msec = 0;
	observer->is_waiting = false;
	bm_worker_child_close(observer->child);
	observer->child = start_worker(observer, &err);
	if (observer->child != NULL) {
		observer->starts++;
		bm_watchdog_watch(observer->silence, bm_worker_child_pid(observer->child));
		return;
	}
	bm_error_wrap(&err, "starting the observe worker");
	fail(observer, err.message);
}

/* ---- the object ---- */

struct bm_observer *bm_observer_create(struct bm_loop *loop,
		const struct bm_observer_options *options,
		void (*cb)(void *ctx, const struct bm_observation *observation),
		void (*down)(void *ctx, const char *why), void *ctx)
{
	struct bm_observer *observer = bm_alloc(sizeof(*observer));

	observer->loop = loop;
	observer->program = bm_strdup(options->program);
	observer->pgpass = bm_strdup(options->pgpass);
	snprintf(observer->request.socket_dir, sizeof(observer->request.socket_dir), "%s",
			options->socket_dir);
	observer->request.interval_msec = options->interval_msec;
	observer->request.timeout_msec = options->timeout_msec;
	observer->cb = cb;
	observer->down = down;
	observer->ctx = ctx;
	observer->pause_msec = PAUSE_FIRST_MSEC;
	observer->silence = bm_watchdog_create(
			loop, SILENCE_MSEC, SILENCE_LIMIT_MSEC, on_silence, observer);
	observer->restart = bm_timer_create(loop, on_restart, observer);
	return observer;
}

void bm_observer_start(struct bm_observer *observer)
{
	if (!observer->is_wanted) {
		observer->is_wanted = true;
		bm_timer_arm(observer->restart, 0);
	}
}

void bm_observer_stop(struct bm_observer *observer)
{
	observer->is_wanted = false;
	bm_timer_disarm(observer->restart);
	if (bm_worker_child_pid(observer->child) != 0) {
		observer->ended_msec = bm_clock_msec();
	}
	end_worker(observer);
	observer->retry_at_msec = 0;
	observer->pause_msec = PAUSE_FIRST_MSEC;
}

void bm_observer_wake(struct bm_observer *observer)
{
	if (observer->child != NULL) {
		bm_worker_child_wake(observer->child);
	}
}

void bm_observer_renew(struct bm_observer *observer)
{
	if (observer->child != NULL) {
		bm_worker_child_renew(observer->child);
	}
}

void bm_observer_destroy(struct bm_observer *observer)
{
	if (observer == NULL) {
		return;
	}
	bm_worker_child_close(observer->child);
	bm_watchdog_close(observer->silence);
	bm_timer_close(observer->restart);
	free(observer->program);
	free(observer->pgpass);
	free(observer);
}

struct bm_observer_view bm_observer_view(const struct bm_observer *observer)
{
	pid_t pid = bm_worker_child_pid(observer->child);
	bool runs = pid != 0;
	bool is_stable = runs && bm_clock_msec() - observer->started_msec >= STABLE_MSEC;

	return (struct bm_observer_view){
			.pid = pid,
			.since_msec = runs ? observer->started_msec : observer->ended_msec,
			.retry_at_msec = observer->retry_at_msec,
			.restarts = observer->starts > 0 ? observer->starts - 1 : 0,
			.failures = is_stable ? 0 : observer->failures,
			.last_exit = observer->last_exit,
			.why = observer->why,
	};
}
