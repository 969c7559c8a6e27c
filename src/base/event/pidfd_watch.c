/*
 * The end of any process, our child or not: by pidfd, or, where the kernel (before
 * 5.3) or a container's seccomp profile has none, by looking at /proc now and then.
 */
#include "base/event/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"

#define LOOK_MSEC 500

struct bm_pidfd_watch {
	pid_t pid;
	uint64_t start_time;
	int pidfd; /* -1: there is none, `look` does its work */
	struct bm_watch *watch;
	struct bm_timer *look;
	void (*cb)(void *ctx, pid_t pid);
	void *ctx;
};

static void on_end(void *ctx, int events)
{
	struct bm_pidfd_watch *watch = ctx;

	(void)events;
	bm_watch_change(watch->watch, 0, NULL); /* it stays readable; once is enough */
	watch->cb(watch->ctx, watch->pid);
}

/* As a pidfd does: a zombie has ended, whoever has yet to wait for it. */
static bool is_running(pid_t pid, uint64_t start_time)
{
	struct bm_process process;

	return bm_process_read(pid, &process, NULL) == 0 && process.start_time == start_time &&
			process.state != 'Z' && process.state != 'X';
}

static void on_look(void *ctx)
{
	struct bm_pidfd_watch *watch = ctx;

	if (is_running(watch->pid, watch->start_time)) {
		bm_timer_arm(watch->look, LOOK_MSEC);
	} else {
		watch->cb(watch->ctx, watch->pid);
	}
}

static int begin(struct bm_pidfd_watch *watch, struct bm_loop *loop, struct bm_error *err)
{
	if (watch->pidfd < 0) {
		watch->look = bm_timer_create(loop, on_look, watch);
		bm_timer_arm(watch->look, LOOK_MSEC);
		return 0;
	}
	watch->watch = bm_watch_create(loop, watch->pidfd, BM_IO_READ, on_end, watch, err);
	return watch->watch == NULL ? -1 : 0;
}

/* Read after the pidfd was opened: from then on the pid cannot change its meaning. */
static int check_identity(pid_t pid, uint64_t start_time, struct bm_error *err)
{
	struct bm_process process;

	if (bm_process_read(pid, &process, err) != 0) {
		return -1;
	}
	if (process.start_time != start_time) {
		errno = ESRCH;
		return bm_error_set(
				err, BM_ERR_IO, "process %d is another one now: %m", (int)pid);
	}
	return 0;
}

struct bm_pidfd_watch *bm_pidfd_watch_create(struct bm_loop *loop, pid_t pid,
		uint64_t start_time, void (*cb)(void *ctx, pid_t pid), void *ctx,
		struct bm_error *err)
{
	struct bm_pidfd_watch *watch = bm_alloc(sizeof(*watch));

	*watch = (struct bm_pidfd_watch){.pid = pid,
			.start_time = start_time,
			.pidfd = bm_process_open(pid),
			.cb = cb,
			.ctx = ctx};
	bm_reserve_fill();
	if (check_identity(pid, start_time, err) != 0 || begin(watch, loop, err) != 0) {
		bm_pidfd_watch_close(watch);
		return NULL;
	}
	return watch;
}

void bm_pidfd_watch_close(struct bm_pidfd_watch *watch)
{
	if (watch == NULL) {
		return;
	}
	bm_watch_close(watch->watch);
	bm_timer_close(watch->look);
	if (watch->pidfd >= 0) {
		close(watch->pidfd);
	}
	free(watch);
}
