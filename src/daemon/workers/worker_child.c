/* A worker process: three pipes, its start and its end. */
#include "bucardo_machine/worker_child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/log.h"

/* What a worker has to say beside its lines goes to the log. */
#define LOG_LINE_BYTES 4096

struct bm_worker_child {
	struct bm_loop *loop;
	char *subject;
	bm_exit_cb *on_exit;
	void *ctx;
	pid_t pid;	/* 0: it has ended */
	int request_fd; /* its stdin; -1 */
	struct bm_lines *lines, *messages;
};

struct pipes {
	int request[2], lines[2], messages[2];
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
		close_end(&pipes->request[i]);
		close_end(&pipes->lines[i]);
		close_end(&pipes->messages[i]);
	}
}

/* A pipe as large as the request, which is written at once and never waited for. */
static int open_order(int ends[2], size_t length, struct bm_error *err)
{
	if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot create a pipe: %m");
	}
	int size = fcntl(ends[1], F_GETPIPE_SZ);
	if (size >= 0 && (size_t)size < length &&
			fcntl(ends[1], F_SETPIPE_SZ, (int)length) < 0) {
		return bm_error_set(err, BM_ERR_IO,
				"cannot make a pipe of %zu bytes for the request: %m", length);
	}
	return 0;
}

static int write_request(int ends[2], const char *request, struct bm_error *err)
{
	char *line = bm_format("%s\n", request);
	size_t length = strlen(line);
	int rc = open_order(ends, length, err);

	if (rc == 0 && write(ends[1], line, length) != (ssize_t)length) {
		rc = bm_error_set(err, BM_ERR_IO, "cannot write the request: %m");
	}
	free(line);
	return rc;
}

static void on_message(void *ctx, enum bm_lines_event event, const char *text, size_t length)
{
	const struct bm_worker_child *child = ctx;

	if (event != BM_LINES_END) {
		bm_log_child_line(child->subject, text, length, event == BM_LINES_PARTIAL);
	}
}

static void on_exit_of_worker(void *ctx, pid_t pid, int status)
{
	struct bm_worker_child *child = ctx;

	child->pid = 0;
	child->on_exit(child->ctx, pid, status);
}

/* The read ends belong to the lines from here on. */
static int read_from(struct bm_worker_child *child,
		const struct bm_worker_child_options *options, struct pipes *pipes,
		struct bm_error *err)
{
	int lines = pipes->lines[0], messages = pipes->messages[0];

	pipes->lines[0] = pipes->messages[0] = -1;
	child->lines = bm_lines_open(child->loop, lines, options->line_bytes, options->on_line,
			options->ctx, err);
	child->messages = bm_lines_open(
			child->loop, messages, LOG_LINE_BYTES, on_message, child, err);
	return child->lines != NULL && child->messages != NULL ? 0 : -1;
}

static int spawn_on(struct bm_worker_child *child,
		const struct bm_worker_child_options *options, struct pipes *pipes,
		struct bm_error *err)
{
	const char *const argv[] = {options->program, "worker", options->worker, NULL};
	char *pgpass = bm_format("PGPASSFILE=%s", options->pgpass);
	const char *const env[] = {pgpass, NULL};
	struct bm_spawn spawn = BM_SPAWN_INIT;

	spawn.argv = argv;
	spawn.env = env;
	spawn.stdin_fd = pipes->request[0];
	spawn.stdout_fd = pipes->lines[1];
	spawn.stderr_fd = pipes->messages[1];
	pid_t pid = bm_spawn(child->loop, &spawn, on_exit_of_worker, child, err);
	free(pgpass);
	if (pid < 0) {
		return -1;
	}
	child->pid = pid;
	child->request_fd = pipes->request[1];
	pipes->request[1] = -1;
	return 0;
}

struct bm_worker_child *bm_worker_child_start(struct bm_loop *loop,
		const struct bm_worker_child_options *options, struct bm_error *err)
{
	struct bm_worker_child *child = bm_alloc(sizeof(*child));
	struct pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}};
	int rc = -1;

	*child = (struct bm_worker_child){.loop = loop,
			.subject = bm_strdup(options->subject),
			.on_exit = options->on_exit,
			.ctx = options->ctx,
			.request_fd = -1};
	if (write_request(pipes.request, options->request, err) == 0 &&
			bm_pipe(pipes.lines, err) == 0 && bm_pipe(pipes.messages, err) == 0 &&
			read_from(child, options, &pipes, err) == 0) {
		rc = spawn_on(child, options, &pipes, err);
	}
	close_pipes(&pipes);
	if (rc != 0) {
		bm_worker_child_close(child);
		return NULL;
	}
	return child;
}

pid_t bm_worker_child_pid(const struct bm_worker_child *child)
{
	return child != NULL ? child->pid : 0;
}

/* A full pipe holds enough of them; a broken one is noticed by its exit. */
static void print(struct bm_worker_child *child, const char *word)
{
	if (child->request_fd >= 0 && write(child->request_fd, word, strlen(word)) < 0) {
		return;
	}
}

void bm_worker_child_wake(struct bm_worker_child *child)
{
	print(child, "wake\n");
}

void bm_worker_child_renew(struct bm_worker_child *child)
{
	print(child, "connect\n");
}

/* Its exit is not waited for: it is ours to reap, and signalled before that. */
static void kill_it(struct bm_worker_child *child)
{
	struct bm_error err = BM_ERROR_INIT;

	if (child->pid == 0) {
		return;
	}
	if (bm_process_signal(child->pid, 0, SIGKILL, &err) != 0) {
		bm_log(BM_LOG_WARN, "worker",
				BM_FIELDS(bm_str("err", err.message),
						bm_str("worker", child->subject)),
				"cannot kill a worker");
	}
	bm_child_forget(child->loop, child->pid);
	child->pid = 0;
}

void bm_worker_child_end(struct bm_worker_child *child)
{
	if (child == NULL) {
		return;
	}
	kill_it(child);
	close_end(&child->request_fd);
	bm_lines_close(child->lines);
	child->lines = NULL;
}

void bm_worker_child_close(struct bm_worker_child *child)
{
	if (child == NULL) {
		return;
	}
	bm_worker_child_end(child);
	bm_lines_close(child->messages);
	free(child->subject);
	free(child);
}
