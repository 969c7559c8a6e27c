/*
 * The parent side of `worker phase`. A worker's end is its exit and the end of its
 * lines, whichever comes last: its verdict may still be in the pipe when it is
 * reaped. A grandchild (pg_dump) that holds the pipe open is not waited for long.
 */
#include "bucardo_machine/phase_host.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/lines.h"
#include "bucardo_machine/log.h"
#include "bucardo_machine/spawn.h"
#include "bucardo_machine/strbuf.h"
#include "migrate/line.h"

/* Between the exit of the worker and the end of its lines. */
#define LINGER_MSEC 1000

/* Between the verdict and the exit: it only disconnects. */
#define GOODBYE_MSEC 5000

/* What a worker has to say beside its events goes to the log. */
#define LOG_LINE_BYTES 4096

struct bm_phase_host {
	struct bm_loop *loop;
	char *subject;
	void (*on_line)(void *ctx, const struct bm_phase_line *line);
	void (*on_end)(void *ctx, const char *how);
	void *ctx;
	pid_t pid;    /* 0: it has ended */
	int order_fd; /* its stdin; closing it is the cancel too */
	struct bm_lines *events, *messages;
	struct bm_timer *linger;
	bool has_verdict, lines_ended, told;
	char how[BM_EXIT_TEXT_SIZE + 64];
};

/* ---- its end ---- */

/* Last in every callback: the receiver may close the host. */
static void tell_end(struct bm_phase_host *host, const char *how)
{
	if (!host->told) {
		host->told = true;
		host->on_end(host->ctx, host->has_verdict ? NULL : how);
	}
}

static void kill_worker(struct bm_phase_host *host)
{
	struct bm_error err = BM_ERROR_INIT;

	if (host->pid == 0) {
		return;
	}
	if (bm_process_signal(host->pid, 0, SIGKILL, &err) != 0) {
		bm_log(BM_LOG_WARN, "worker", BM_FIELDS(bm_str("err", err.message)),
				"cannot kill a phase worker");
	}
	bm_child_forget(host->loop, host->pid);
	host->pid = 0;
}

static void on_exit_of_worker(void *ctx, pid_t pid, int status)
{
	struct bm_phase_host *host = ctx;
	char text[BM_EXIT_TEXT_SIZE];

	(void)pid;
	host->pid = 0;
	char *how = bm_format(
			"its worker ended without a verdict: %s", bm_exit_text(status, text));
	bm_text_copy(host->how, sizeof(host->how), how);
	free(how);
	if (host->lines_ended) {
		tell_end(host, host->how);
	} else {
		bm_timer_arm(host->linger, LINGER_MSEC);
	}
}

static void on_linger(void *ctx)
{
	struct bm_phase_host *host = ctx;

	tell_end(host, host->how);
}

/* ---- its lines ---- */

static void take_line(struct bm_phase_host *host, const char *text, size_t length)
{
	struct bm_phase_decoded decoded;
	struct bm_error err = BM_ERROR_INIT;

	if (host->has_verdict || host->told) {
		return; /* a verdict is the last that counts */
	}
	if (bm_phase_line_decode(text, length, &decoded, &err) != 0) {
		bm_phase_line_finish(&decoded);
		kill_worker(host);
		tell_end(host, err.message);
		return;
	}
	host->has_verdict = decoded.line.event == BM_PHASE_EVENT_DONE ||
			decoded.line.event == BM_PHASE_EVENT_FAILED;
	if (host->has_verdict) {
		bm_timer_arm(host->linger, GOODBYE_MSEC);
	}
	host->on_line(host->ctx, &decoded.line);
	bm_phase_line_finish(&decoded);
}

static void on_event(void *ctx, enum bm_lines_event event, const char *text, size_t length)
{
	struct bm_phase_host *host = ctx;

	switch (event) {
	case BM_LINES_LINE:
		take_line(host, text, length);
		break;
	case BM_LINES_PARTIAL:
		kill_worker(host);
		tell_end(host, "its worker printed a line that is too long");
		break;
	case BM_LINES_END:
		host->lines_ended = true;
		if (host->pid == 0) {
			tell_end(host, host->how);
		}
		break;
	}
}

static void on_message(void *ctx, enum bm_lines_event event, const char *text, size_t length)
{
	const struct bm_phase_host *host = ctx;

	if (event != BM_LINES_END) {
		bm_log_child_line(host->subject, text, length, event == BM_LINES_PARTIAL);
	}
}

/* ---- its start ---- */

struct pipes {
	int order[2], events[2], messages[2];
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
		close_end(&pipes->events[i]);
		close_end(&pipes->messages[i]);
	}
}

/* A pipe as large as the order, which is written at once and never waited for. */
static int open_order(int ends[2], size_t length, struct bm_error *err)
{
	if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot create a pipe: %m");
	}
	int size = fcntl(ends[1], F_GETPIPE_SZ);
	if (size >= 0 && (size_t)size < length &&
			fcntl(ends[1], F_SETPIPE_SZ, (int)length) < 0) {
		return bm_error_set(err, BM_ERR_IO,
				"cannot make a pipe of %zu bytes for the order: %m", length);
	}
	return 0;
}

static int write_order(int ends[2], const char *order, struct bm_error *err)
{
	char *line = bm_format("%s\n", order);
	size_t length = strlen(line);
	int rc = open_order(ends, length, err);

	if (rc == 0 && write(ends[1], line, length) != (ssize_t)length) {
		rc = bm_error_set(err, BM_ERR_IO, "cannot write the order: %m");
	}
	free(line);
	return rc;
}

/* The read ends belong to the lines from here on. */
static int read_from(struct bm_phase_host *host, struct pipes *pipes, struct bm_error *err)
{
	int events = pipes->events[0], messages = pipes->messages[0];

	pipes->events[0] = pipes->messages[0] = -1;
	host->events = bm_lines_open(
			host->loop, events, BM_PHASE_LINE_BYTES, on_event, host, err);
	host->messages = bm_lines_open(
			host->loop, messages, LOG_LINE_BYTES, on_message, host, err);
	return host->events != NULL && host->messages != NULL ? 0 : -1;
}

static int spawn_on(struct bm_phase_host *host, const struct bm_phase_options *options,
		struct pipes *pipes, struct bm_error *err)
{
	const char *const argv[] = {options->program, "worker", "phase", NULL};
	char *pgpass = bm_format("PGPASSFILE=%s", options->pgpass);
	const char *const env[] = {pgpass, NULL};
	struct bm_spawn spawn = BM_SPAWN_INIT;

	spawn.argv = argv;
	spawn.env = env;
	spawn.stdin_fd = pipes->order[0];
	spawn.stdout_fd = pipes->events[1];
	spawn.stderr_fd = pipes->messages[1];
	pid_t pid = bm_spawn(host->loop, &spawn, on_exit_of_worker, host, err);
	free(pgpass);
	if (pid < 0) {
		return -1;
	}
	host->pid = pid;
	host->order_fd = pipes->order[1];
	pipes->order[1] = -1;
	return 0;
}

static int start(struct bm_phase_host *host, const struct bm_phase_options *options,
		const char *order, struct bm_error *err)
{
	struct pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}};
	int rc = -1;

	if (write_order(pipes.order, order, err) == 0 && bm_pipe(pipes.events, err) == 0 &&
			bm_pipe(pipes.messages, err) == 0 &&
			read_from(host, &pipes, err) == 0) {
		rc = spawn_on(host, options, &pipes, err);
	}
	close_pipes(&pipes);
	return rc;
}

struct bm_phase_host *bm_phase_host_start(struct bm_loop *loop,
		const struct bm_phase_options *options, const char *order,
		void (*on_line)(void *ctx, const struct bm_phase_line *line),
		void (*on_end)(void *ctx, const char *how), void *ctx, struct bm_error *err)
{
	struct bm_phase_host *host = bm_alloc(sizeof(*host));

	host->loop = loop;
	host->subject = bm_strdup(options->subject);
	host->on_line = on_line;
	host->on_end = on_end;
	host->ctx = ctx;
	host->order_fd = -1;
	host->linger = bm_timer_create(loop, on_linger, host);
	if (start(host, options, order, err) != 0) {
		bm_error_wrap(err, "starting a phase worker");
		bm_phase_host_close(host);
		return NULL;
	}
	return host;
}

void bm_phase_host_close(struct bm_phase_host *host)
{
	if (host == NULL) {
		return;
	}
	kill_worker(host);
	close_end(&host->order_fd);
	bm_lines_close(host->events);
	bm_lines_close(host->messages);
	bm_timer_close(host->linger);
	free(host->subject);
	free(host);
}

pid_t bm_phase_host_pid(const struct bm_phase_host *host)
{
	return host->pid;
}
