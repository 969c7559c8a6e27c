/*
 * `run -- COMMAND...`: one command with the manners of a good init, whether we are
 * PID 1 or not. The command gets our own stdin, stdout and stderr (a terminal
 * included), every signal sent to us, and its exit status becomes ours.
 */
#include "bucardo_machine/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/spawn.h"

#define EXIT_OURS 125
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127

struct single {
	const struct bm_single *how;
	struct bm_loop *loop;
	pid_t pid;
	int exit_code;
	int signal_fd; /* the signals that bm_loop_on_signal() does not bring */
	struct bm_watch *watch;
};

/*
 * Not passed on: what the kernel sends us for faults of our own, the two that cannot
 * be caught, what concerns our own children and pipes, and the terminal's word that
 * *we* are in the background. Those that the loop brings come by on_signal().
 */
static const int not_here[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS,
		SIGKILL, SIGSTOP, SIGCHLD, SIGPIPE, SIGTTIN, SIGTTOU, SIGTERM, SIGINT, SIGQUIT,
		SIGHUP, SIGUSR1, SIGUSR2};

static void on_signal(void *ctx, int signo)
{
	const struct single *single = ctx;
	int wanted = single->how->rewrite[signo] == 0 ? signo : single->how->rewrite[signo];

	if (wanted == BM_SIGNAL_DROPPED) {
		return;
	}
	/* It may just have ended: then its status is on the way, and this is success. */
	if (single->how->group) {
		bm_process_signal_group(single->pid, wanted);
	} else {
		bm_process_signal(single->pid, 0, wanted, NULL);
	}
}

static void on_other_signal(void *ctx, int events)
{
	struct single *single = ctx;
	struct signalfd_siginfo info;

	(void)events;
	while (read(single->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		on_signal(single, (int)info.ssi_signo);
	}
}

static int watch_other_signals(struct single *single, struct bm_error *err)
{
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < BM_COUNT_OF(not_here); i++) {
		sigdelset(&set, not_here[i]);
	}
	single->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (single->signal_fd < 0) {
		return bm_error_set(err, BM_ERR_TRANSIENT, "cannot open a signalfd: %m");
	}
	single->watch = bm_watch_create(single->loop, single->signal_fd, BM_IO_READ,
			on_other_signal, single, err);
	return single->watch == NULL ? -1 : 0;
}

static void on_exit_of_command(void *ctx, pid_t pid, int status)
{
	struct single *single = ctx;

	(void)pid;
	single->exit_code = bm_exit_code(status);
	bm_loop_stop(single->loop);
}

static int code_of(const struct bm_error *err)
{
	if (err->code != BM_ERR_CONFIG) {
		return EXIT_OURS;
	}
	return err->os_errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

static int supervise(struct single *single, char **argv, struct bm_error *err)
{
	struct bm_spawn spawn = {
			.argv = (const char *const *)argv,
			.stdin_fd = STDIN_FILENO,
			.stdout_fd = STDOUT_FILENO,
			.stderr_fd = STDERR_FILENO,
			.same_session = true,
			.own_group = single->how->group,
			.keep_signals = single->how->keep_signals,
	};

	if (watch_other_signals(single, err) != 0) {
		return EXIT_OURS;
	}
	single->pid = bm_spawn(single->loop, &spawn, on_exit_of_command, single, err);
	if (single->pid < 0) {
		return code_of(err);
	}
	if (chdir("/") != 0) {
		/* where we are keeps a file system busy then, no more */
	}
	bm_loop_on_signal(single->loop, on_signal, single);
	bm_loop_run(single->loop);
	if (tcgetpgrp(STDIN_FILENO) == single->pid) {
		tcsetpgrp(STDIN_FILENO, getpgrp()); /* give the terminal back to our caller */
	}
	return single->how->expected[single->exit_code] ? 0 : single->exit_code;
}

int bm_single_run(const struct bm_single *how, char **argv)
{
	struct bm_error err = BM_ERROR_INIT;
	struct single single = {.how = how, .signal_fd = -1};
	int code = EXIT_OURS;

	if (bm_event_begin(&err) == 0 && (single.loop = bm_loop_create(&err)) != NULL) {
		code = supervise(&single, argv, &err);
	}
	if (err.code != BM_ERR_NONE) {
		fprintf(stderr, "bucardo-machine: %s\n", err.message);
	}
	bm_watch_close(single.watch);
	if (single.signal_fd >= 0) {
		close(single.signal_fd);
	}
	bm_loop_destroy(single.loop);
	return code;
}
