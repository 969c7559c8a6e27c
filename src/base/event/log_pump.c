/*
 * Empties the log's ring when its reader takes lines again. The descriptor (often
 * our stdout) is shared with others, so it may not be made non-blocking, which
 * uv_poll does to what it watches: an epoll of our own watches it, and libuv
 * watches that. What cannot be polled (a file) is tried again after a moment.
 */
#include "base/event/loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "bucardo_machine/log.h"

#define RETRY_MSEC 100

static void stop_waiting(struct bm_log_pump *pump)
{
	if (pump->waited_fd >= 0) {
		epoll_ctl(pump->epoll_fd, EPOLL_CTL_DEL, pump->waited_fd, NULL);
		pump->waited_fd = -1;
	}
}

static void flush(struct bm_log_pump *pump)
{
	bm_log_flush();
	if (bm_log_pending() == 0 || pump->waited_fd != bm_log_fd()) {
		stop_waiting(pump);
	}
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	flush(poll->data);
}

static void on_retry(uv_timer_t *timer)
{
	flush(timer->data);
}

static void before_wait(uv_prepare_t *prepare)
{
	struct bm_log_pump *pump = prepare->data;
	struct epoll_event wanted = {.events = EPOLLOUT};

	if (bm_log_pending() == 0 || pump->waited_fd >= 0) {
		return;
	}
	if (epoll_ctl(pump->epoll_fd, EPOLL_CTL_ADD, bm_log_fd(), &wanted) == 0) {
		pump->waited_fd = bm_log_fd();
	} else if (!uv_is_active((uv_handle_t *)&pump->retry)) {
		uv_timer_start(&pump->retry, on_retry, RETRY_MSEC, 0);
	}
}

int bm_log_pump_init(struct bm_loop *loop, struct bm_error *err)
{
	struct bm_log_pump *pump = &loop->log_pump;

	pump->waited_fd = -1;
	uv_timer_init(&loop->uv, &pump->retry);
	uv_prepare_init(&loop->uv, &pump->before_wait);
	pump->retry.data = pump->before_wait.data = pump->poll.data = pump;
	pump->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (pump->epoll_fd < 0) {
		return bm_error_set(err, BM_ERR_TRANSIENT, "cannot open an epoll: %m");
	}
	int result = uv_poll_init(&loop->uv, &pump->poll, pump->epoll_fd);
	if (result != 0) {
		return bm_uv_error(err, result, "watch the log's reader");
	}
	pump->poll.data = pump;
	uv_poll_start(&pump->poll, UV_READABLE, on_writable);
	uv_prepare_start(&pump->before_wait, before_wait);
	return 0;
}

void bm_log_pump_finish(struct bm_loop *loop)
{
	if (loop->log_pump.epoll_fd >= 0) {
		close(loop->log_pump.epoll_fd);
	}
}
