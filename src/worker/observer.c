/*
 * The parent side of `worker observe`: keeps one running, turns its lines into
 * observations. A worker that dies, is silent or talks nonsense is killed and
 * started again after a pause that grows while that goes on.
 */
#include "bucardo_machine/worker.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/lines.h"
#include "bucardo_machine/log.h"
#include "bucardo_machine/spawn.h"
#include "worker/observation.h"
#include "worker/order.h"

/* A worker prints every 5 s; after this long it hangs. */
#define SILENCE_MSEC 20000

#define PAUSE_FIRST_MSEC 500
#define PAUSE_LIMIT_MSEC 30000

/* A worker that lived this long was healthy: the next pause is short again. */
#define STABLE_MSEC 60000

/* What a worker has to say beside its samples goes to the log. */
#define LOG_LINE_BYTES 4096

struct bm_observer {
	struct bm_loop *loop;
	char *program;
	char *pgpass_env; /* "PGPASSFILE=..." */
	struct bm_observe_order order;
	void (*cb)(void *ctx, const struct bm_observation *observation);
	void (*down)(void *ctx, const char *why);
	void *ctx;

	bool is_wanted;
	bool is_waiting; /* the worker said that it cannot look */
	pid_t pid;	 /* 0: not running */
	int order_fd;	 /* its stdin; -1 */
	uint64_t started_msec;
	uint64_t pause_msec;
	struct bm_lines *samples;
	struct bm_lines *messages;
	struct bm_timer *silence;
	struct bm_timer *restart;
};

/* ---- its end ---- */

/* Its messages stay open until the next start: the last one says why it ended. */
static void forget_worker(struct bm_observer *observer)
{
	bm_lines_close(observer->samples);
	observer->samples = NULL;
	if (observer->order_fd >= 0) {
		close(observer->order_fd);
	}
	observer->order_fd = -1;
	observer->pid = 0;
	bm_timer_disarm(observer->silence);
}

/* Its exit is not waited for: it is ours to reap, and does nothing but read. */
static void kill_worker(struct bm_observer *observer)
{
	struct bm_error err = BM_ERROR_INIT;

	if (observer->pid == 0) {
		return;
	}
	/* Forgotten first, and signalled while the pid cannot be another's yet. */
	if (bm_process_signal(observer->pid, 0, SIGKILL, &err) != 0) {
		bm_log(BM_LOG_WARN, "worker", BM_FIELDS(bm_str("err", err.message)),
				"cannot kill the observe worker");
	}
	bm_child_forget(observer->loop, observer->pid);
	forget_worker(observer);
}

/* `why` may be a text of the lines that are closed here: it is used up before. */
static void fail(struct bm_observer *observer, const char *why)
{
	char *reason = bm_strdup(why);

	if (bm_clock_msec() - observer->started_msec >= STABLE_MSEC) {
		observer->pause_msec = PAUSE_FIRST_MSEC;
	}
	kill_worker(observer);
	bm_timer_arm(observer->restart, observer->pause_msec);
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
	char how[BM_EXIT_TEXT_SIZE];
	char *why = bm_format("the observe worker ended: %s", bm_exit_text(status, how));

	(void)pid;
	forget_worker(observer);
	fail(observer, why);
	free(why);
}

static void on_silence(void *ctx)
{
	fail(ctx, "the observe worker gave no sign of life for 20 s");
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
		bm_timer_arm(observer->silence, SILENCE_MSEC);
		take_waiting(observer, line.waiting);
	} else {
		bm_timer_arm(observer->silence, SILENCE_MSEC);
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

static void on_message(void *ctx, enum bm_lines_event event, const char *text, size_t length)
{
	(void)ctx;
	if (event != BM_LINES_END) {
		bm_log_child_line("observe", text, length, event == BM_LINES_PARTIAL);
	}
}

/* ---- its start ---- */

struct pipes {
	int order[2], samples[2], messages[2];
};

static void close_end(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
	*fd = -1;
}

static void close_pipes(struct pipes *pipes)
{
	for (int i = 0; i < 2; i++) {
		close_end(&pipes->order[i]);
		close_end(&pipes->samples[i]);
		close_end(&pipes->messages[i]);
	}
}

static int open_pipes(struct pipes *pipes, struct bm_error *err)
{
	*pipes = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
	if (pipe2(pipes->order, O_CLOEXEC) != 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot create a pipe: %m");
	}
	if (fcntl(pipes->order[1], F_SETFL, O_NONBLOCK) != 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot prepare a pipe: %m");
	}
	if (bm_pipe(pipes->samples, err) != 0) {
		return -1;
	}
	return bm_pipe(pipes->messages, err);
}

/* An order fits into the empty pipe: this never blocks and never writes half. */
static int write_order(int fd, const struct bm_observe_order *order, struct bm_error *err)
{
	char *json = bm_observe_order_encode(order);
	char *line = bm_format("%s\n", json != NULL ? json : "");
	size_t length = strlen(line);
	ssize_t written = write(fd, line, length);

	free(json);
	free(line);
	return written == (ssize_t)length
			? 0
			: bm_error_set(err, BM_ERR_IO, "cannot write the order: %m");
}

static pid_t spawn_on(
		struct bm_observer *observer, const struct pipes *pipes, struct bm_error *err)
{
	const char *const argv[] = {observer->program, "worker", "observe", NULL};
	const char *const env[] = {observer->pgpass_env, NULL};
	struct bm_spawn spawn = BM_SPAWN_INIT;

	spawn.argv = argv;
	spawn.env = env;
	spawn.stdin_fd = pipes->order[0];
	spawn.stdout_fd = pipes->samples[1];
	spawn.stderr_fd = pipes->messages[1];
	return bm_spawn(observer->loop, &spawn, on_exit_of_worker, observer, err);
}

/* Hand the read ends over to bm_lines, which own them from then on. */
static int read_from(struct bm_observer *observer, struct pipes *pipes, struct bm_error *err)
{
	int samples = pipes->samples[0];
	int messages = pipes->messages[0];

	pipes->samples[0] = pipes->messages[0] = -1;
	bm_lines_close(observer->messages);
	observer->samples = bm_lines_open(observer->loop, samples, BM_OBSERVATION_LINE_BYTES,
			on_sample, observer, err);
	observer->messages = bm_lines_open(
			observer->loop, messages, LOG_LINE_BYTES, on_message, observer, err);
	return observer->samples != NULL && observer->messages != NULL ? 0 : -1;
}

static int start_worker(struct bm_observer *observer, struct pipes *pipes, struct bm_error *err)
{
	if (open_pipes(pipes, err) != 0 ||
			write_order(pipes->order[1], &observer->order, err) != 0 ||
			read_from(observer, pipes, err) != 0) {
		return -1;
	}
	pid_t pid = spawn_on(observer, pipes, err);
	if (pid < 0) {
		return -1;
	}
	observer->pid = pid;
	observer->order_fd = pipes->order[1];
	pipes->order[1] = -1;
	return 0;
}

static void on_restart(void *ctx)
{
	struct bm_observer *observer = ctx;
	struct bm_error err = BM_ERROR_INIT;
	struct pipes pipes;

	observer->started_msec = bm_clock_msec();
	observer->is_waiting = false;
	int rc = start_worker(observer, &pipes, &err);
	close_pipes(&pipes);
	if (rc == 0) {
		bm_timer_arm(observer->silence, SILENCE_MSEC);
		return;
	}
	forget_worker(observer);
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
	observer->pgpass_env = bm_format("PGPASSFILE=%s", options->pgpass);
	snprintf(observer->order.socket_dir, sizeof(observer->order.socket_dir), "%s",
			options->socket_dir);
	observer->order.interval_msec = options->interval_msec;
	observer->order.timeout_msec = options->timeout_msec;
	observer->cb = cb;
	observer->down = down;
	observer->ctx = ctx;
	observer->order_fd = -1;
	observer->pause_msec = PAUSE_FIRST_MSEC;
	observer->silence = bm_timer_create(loop, on_silence, observer);
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
	kill_worker(observer);
	observer->pause_msec = PAUSE_FIRST_MSEC;
}

void bm_observer_poke(struct bm_observer *observer)
{
	static const char look[] = "look\n";

	/* A full pipe holds enough of them; a broken one is noticed by its exit. */
	if (observer->order_fd >= 0 && write(observer->order_fd, look, sizeof(look) - 1) < 0) {
		return;
	}
}

void bm_observer_destroy(struct bm_observer *observer)
{
	if (observer == NULL) {
		return;
	}
	kill_worker(observer);
	bm_lines_close(observer->messages);
	bm_timer_close(observer->silence);
	bm_timer_close(observer->restart);
	free(observer->program);
	free(observer->pgpass_env);
	free(observer);
}

pid_t bm_observer_pid(const struct bm_observer *observer)
{
	return observer->pid;
}
