/*
 * Signals by signalfd. libuv's own way (a handler that writes into a pipe) loses
 * signals once the pipe is full, SIGTERM among them; a pending signal is never
 * lost. SIGCHLD wakes the reaper, the others are passed on.
 */
#include "base/event/loop.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bucardo_machine/macros.h"

static const int passed_on[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};

static void report(struct bm_signals *signals, int signo)
{
	if (signals->cb == NULL) {
		signals->unheard |= UINT64_C(1) << signo;
		return;
	}
	signals->cb(signals->ctx, signo);
}

static void on_signals(uv_poll_t *poll, int status, int events)
{
	struct bm_loop *loop = poll->data;
	struct signalfd_siginfo info;
	bool child_ended = false;

	(void)status;
	(void)events;
	while (read(loop->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			child_ended = true; /* one may stand for many */
		} else {
			report(&loop->signals, (int)info.ssi_signo);
		}
	}
	if (child_ended) {
		bm_reaper_run(loop);
	}
}

int bm_signals_init(struct bm_loop *loop, struct bm_error *err)
{
	struct bm_signals *signals = &loop->signals;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < BM_COUNT_OF(passed_on); i++) {
		sigaddset(&set, passed_on[i]);
	}
	/* For loops made without bm_event_begin(); a signalfd reads only what is blocked. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals->fd < 0) {
		return bm_error_set(err, BM_ERR_TRANSIENT, "cannot open a signalfd: %m");
	}
	int result = uv_poll_init(&loop->uv, &signals->poll, signals->fd);
	if (result != 0) {
		return bm_uv_error(err, result, "watch signals");
	}
	signals->poll.data = loop;
	uv_poll_start(&signals->poll, UV_READABLE, on_signals);
	return 0;
}

void bm_signals_finish(struct bm_loop *loop)
{
	if (loop->signals.fd >= 0) {
		close(loop->signals.fd);
	}
}

static void report_unreceived(void *ctx)
{
	struct bm_signals *signals = ctx;
	uint64_t unheard = signals->unheard;

	signals->unheard = 0;
	for (int signo = 1; signo < 64; signo++) {
		if ((unheard & (UINT64_C(1) << signo)) != 0) {
			report(signals, signo);
		}
	}
}

void bm_loop_on_signal(struct bm_loop *loop, void (*cb)(void *ctx, int signo), void *ctx)
{
	loop->signals.cb = cb;
	loop->signals.ctx = ctx;
	if (loop->signals.unheard != 0) {
		bm_loop_defer(loop, report_unreceived, &loop->signals);
	}
}
