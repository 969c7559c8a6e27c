/*
 * The only fork and exec of the program. Everything that can be prepared is
 * prepared before the fork; the child then only makes system calls, tells its
 * parent through a close-on-exec pipe when one of them fails, and so gives
 * exec's own answer instead of a guess from an exit code.
 */
#include "base/event/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"

/* Fork to exec takes less than a millisecond; a folder on a dead NFS server for ever. */
#define EXEC_LIMIT_MSEC 2000

enum step { STEP_DESCRIPTORS, STEP_FOLDER, STEP_EXEC };

struct exec_failure {
	enum step step;
	int os_errno;
};

/* What the child needs; made by the parent, read after the fork. */
struct plan {
	const struct bm_spawn *spawn;
	char **env; /* NULL: ours */
	pid_t parent;
	int failure_fd;
};

static bool same_name(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return strncmp(a, b, length) == 0 && (b[length] == '=' || b[length] == '\0');
}

static bool is_replaced(const char *const *extra, const char *entry)
{
	for (; *extra != NULL; extra++) {
		if (same_name(*extra, entry)) {
			return true;
		}
	}
	return false;
}

static size_t count_of(const char *const *list)
{
	size_t count = 0;

	while (list[count] != NULL) {
		count++;
	}
	return count;
}

/* Ours with `extra` on top; the texts are borrowed. NULL when there is nothing extra. */
static char **merge_environment(const char *const *extra)
{
	if (extra == NULL) {
		return NULL;
	}
	size_t ours = count_of((const char *const *)environ);
	char **env = bm_alloc((ours + count_of(extra) + 1) * sizeof(*env));
	size_t used = 0;
	for (size_t i = 0; i < ours; i++) {
		if (!is_replaced(extra, environ[i])) {
			env[used++] = environ[i];
		}
	}
	for (; *extra != NULL; extra++) {
		env[used++] = (char *)(uintptr_t)*extra;
	}
	return env;
}

/* ---- between fork and exec: system calls only ---- */

static _Noreturn void give_up(const struct plan *plan, enum step step)
{
	struct exec_failure failure = {step, errno};

	if (write(plan->failure_fd, &failure, sizeof(failure)) < 0) {
		/* the parent is gone: nobody to tell */
	}
	_exit(127);
}

/* Put `source` (-1: /dev/null) at `target` without close-on-exec. */
static int place(int source, int target)
{
	if (source == target) {
		return fcntl(target, F_SETFD, 0);
	}
	if (source >= 0) {
		return dup2(source, target);
	}
	/* Closing first makes this work with every descriptor in use. */
	close(target);
	int fd = open("/dev/null", O_RDWR);
	if (fd < 0 || fd == target) {
		return fd;
	}
	int result = dup2(fd, target);
	close(fd);
	return result;
}

static void arrange_descriptors(const struct plan *plan)
{
	const struct bm_spawn *spawn = plan->spawn;
	int source[3] = {spawn->stdin_fd, spawn->stdout_fd, spawn->stderr_fd};

	for (int i = 0; i < 3; i++) {
		/* A source that is itself a target would be overwritten before its turn. */
		if (source[i] >= 0 && source[i] <= 2 && source[i] != i) {
			source[i] = fcntl(source[i], F_DUPFD_CLOEXEC, 3);
			if (source[i] < 0) {
				give_up(plan, STEP_DESCRIPTORS);
			}
		}
	}
	for (int i = 0; i < 3; i++) {
		if (place(source[i], i) < 0) {
			give_up(plan, STEP_DESCRIPTORS);
		}
	}
	bm_descriptors_close_on_exec(3);
	if (spawn->inherited_fd > 2) {
		fcntl(spawn->inherited_fd, F_SETFD, 0);
	}
}

/*
 * `run -- COMMAND` on a terminal: a process group of its own that owns the
 * terminal if we owned it, so that Ctrl-C reaches it once, from the terminal. If
 * a shell runs us in the background its job control needs the command in our group.
 */
static void join_session(const struct bm_spawn *spawn)
{
	pid_t foreground = tcgetpgrp(STDIN_FILENO);

	if (foreground < 0 || (spawn->own_group && foreground != getpgrp())) {
		setpgid(0, 0);
	} else if (foreground == getpgrp()) {
		setpgid(0, 0);
		tcsetpgrp(STDIN_FILENO, getpid()); /* SIGTTOU is still blocked */
	}
}

static void die_with_parent(const struct plan *plan)
{
	int wanted = plan->spawn->death_signal;

	if (wanted < 0) {
		return;
	}
	prctl(PR_SET_PDEATHSIG, wanted == 0 ? SIGKILL : wanted);
	if (getppid() != plan->parent) {
		_exit(127); /* it died before the kernel knew our wish */
	}
}

static _Noreturn void become(const struct plan *plan)
{
	const struct bm_spawn *spawn = plan->spawn;
	if (spawn->same_session) {
		join_session(spawn);
	} else {
		setsid();
	}
	bm_dispositions_reset(spawn->keep_signals);
	arrange_descriptors(plan);
	if (spawn->cwd != NULL && chdir(spawn->cwd) != 0) {
		give_up(plan, STEP_FOLDER);
	}
	die_with_parent(plan);
	if (plan->env != NULL) {
		environ = plan->env; /* before the search: PATH may be among them */
	}
	bm_mask_reset(spawn->keep_signals);
	execvp(spawn->argv[0], (char *const *)(uintptr_t)spawn->argv);
	give_up(plan, STEP_EXEC);
}

/* ---- the parent's side ---- */

static bool is_shortage(int os_errno)
{
	static const int shortages[] = {EAGAIN, ENOMEM, EMFILE, ENFILE, ETXTBSY, EINTR, EIO};

	for (size_t i = 0; i < BM_COUNT_OF(shortages); i++) {
		if (shortages[i] == os_errno) {
			return true;
		}
	}
	return false;
}

static void explain(
		const struct bm_spawn *spawn, struct exec_failure failure, struct bm_error *err)
{
	enum bm_error_code code = is_shortage(failure.os_errno) ? BM_ERR_TRANSIENT
								: BM_ERR_CONFIG;

	errno = failure.os_errno;
	switch (failure.step) {
	case STEP_FOLDER:
		bm_error_set(err, code, "cannot enter folder '%s' to start '%s': %m",
				spawn->cwd, spawn->argv[0]);
		break;
	case STEP_DESCRIPTORS:
		bm_error_set(err, code, "cannot set up the descriptors of '%s': %m",
				spawn->argv[0]);
		break;
	case STEP_EXEC:
		bm_error_set(err, code, "cannot execute '%s': %m", spawn->argv[0]);
		break;
	}
	if (err != NULL) {
		err->os_errno = failure.os_errno;
	}
}

/* Read how it went; 0 when the program runs. */
static int await_exec(pid_t pid, int fd, const struct bm_spawn *spawn, struct bm_error *err)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	struct exec_failure failure;

	if (poll(&wait, 1, EXEC_LIMIT_MSEC) == 0) {
		char span[BM_CLOCK_TEXT_SIZE];
		kill(pid, SIGKILL);
		return bm_error_set(err, BM_ERR_TRANSIENT,
				"'%s' did not begin within %s: is its folder on a server that "
				"does not answer?",
				spawn->argv[0], bm_clock_format_span(EXEC_LIMIT_MSEC, span));
	}
	if (read(fd, &failure, sizeof(failure)) == (ssize_t)sizeof(failure)) {
		explain(spawn, failure, err);
		return -1;
	}
	return 0;
}

static int open_failure_pipe(int ends[2], struct bm_error *err)
{
	if (pipe2(ends, O_CLOEXEC) == 0 || (bm_reserve_lend() && pipe2(ends, O_CLOEXEC) == 0)) {
		return 0;
	}
	bm_reserve_fill();
	bm_error_set(err, BM_ERR_TRANSIENT, "cannot open a pipe: %m");
	if (err != NULL) {
		err->os_errno = errno;
	}
	return -1;
}

static pid_t start(struct bm_loop *loop, struct plan *plan, struct bm_child *child,
		struct bm_error *err)
{
	int ends[2];

	if (open_failure_pipe(ends, err) != 0) {
		free(child);
		return -1;
	}
	plan->failure_fd = ends[1];
	pid_t pid = fork();
	if (pid == 0) {
		become(plan);
	}
	if (pid < 0) {
		bm_error_set(err, BM_ERR_TRANSIENT, "cannot start a process for '%s': %m",
				plan->spawn->argv[0]);
		free(child);
	} else {
		bm_reaper_add(loop, child, pid);
	}
	close(ends[1]);
	if (pid > 0 && await_exec(pid, ends[0], plan->spawn, err) != 0) {
		bm_child_forget(loop, pid);
		pid = -1;
	}
	close(ends[0]);
	bm_reserve_fill();
	return pid;
}

pid_t bm_spawn(struct bm_loop *loop, const struct bm_spawn *spawn, bm_exit_cb *cb, void *ctx,
		struct bm_error *err)
{
	struct plan plan = {
			.spawn = spawn,
			.env = merge_environment(spawn->env),
			.parent = getpid(),
	};
	pid_t pid = start(loop, &plan, bm_reaper_prepare(cb, ctx), err);

	free(plan.env);
	return pid;
}
