/*
 * The first milliseconds of a long-running role: nothing that a careless parent
 * left behind (blocked or ignored signals, stray or missing descriptors) may
 * change how the machine or its children behave.
 */
#include "base/event/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bucardo_machine/macros.h"

/* Sent by the kernel for our own mistakes; blocking them would hide the place. */
static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};

/* All zero: nothing. */
static struct {
	sigset_t blocked, ignored;
} inherited;

static void remember(void)
{
	struct sigaction action;

	sigprocmask(SIG_SETMASK, NULL, &inherited.blocked);
	sigemptyset(&inherited.ignored);
	for (int signo = 1; signo < NSIG; signo++) {
		if (sigaction(signo, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
			sigaddset(&inherited.ignored, signo);
		}
	}
}

static int block_signals(struct bm_error *err)
{
	sigset_t all_but_faults;

	sigfillset(&all_but_faults);
	for (size_t i = 0; i < BM_COUNT_OF(faults); i++) {
		sigdelset(&all_but_faults, faults[i]);
	}
	if (sigprocmask(SIG_SETMASK, &all_but_faults, NULL) != 0) {
		return bm_error_set(err, BM_ERR_INTERNAL, "cannot block signals: %m");
	}
	return 0;
}

void bm_dispositions_reset(bool keep)
{
	/* An inherited SIG_IGN on SIGCHLD would make the kernel reap behind our back. */
	for (int signo = 1; signo < NSIG; signo++) {
		bool ignore = keep && sigismember(&inherited.ignored, signo) == 1;
		/* Refused for KILL, STOP and glibc's own two. */
		signal(signo, ignore ? SIG_IGN : SIG_DFL);
	}
}

void bm_mask_reset(bool keep)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, keep ? &inherited.blocked : &none, NULL);
}

static int ensure_standard_descriptors(struct bm_error *err)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0) {
			continue;
		}
		/* The lowest free number is `fd`: those below it are open by now. */
		if (open("/dev/null", O_RDWR) < 0) {
			return bm_error_set(err, BM_ERR_IO,
					"descriptor %d is closed and '/dev/null' cannot "
					"stand in for it: %m",
					fd);
		}
	}
	return 0;
}

static void close_on_exec_one_by_one(int first)
{
	struct rlimit limit = {.rlim_cur = 1024};

	/* No folder listing: this also runs between fork and exec, where opendir() may not. */
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur > 65536) {
		limit.rlim_cur = 65536;
	}
	for (int fd = first; fd < (int)limit.rlim_cur; fd++) {
		int flags = fcntl(fd, F_GETFD);
		if (flags >= 0) {
			fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
		}
	}
}

void bm_descriptors_close_on_exec(int first)
{
	/* Old kernels and some seccomp profiles know no close_range. */
	if (syscall(SYS_close_range, (unsigned)first, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
		close_on_exec_one_by_one(first);
	}
}

int bm_event_begin(struct bm_error *err)
{
	remember();
	if (block_signals(err) != 0) {
		return -1;
	}
	bm_dispositions_reset(false);
	/* A reader of our output that goes away is an error of write(), not our end. */
	signal(SIGPIPE, SIG_IGN);
	if (ensure_standard_descriptors(err) != 0) {
		return -1;
	}
	bm_descriptors_close_on_exec(3);
	bm_reserve_fill();
	if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
		return bm_error_set(err, BM_ERR_INTERNAL,
				"cannot become the parent of orphans: %m");
	}
	return 0;
}
