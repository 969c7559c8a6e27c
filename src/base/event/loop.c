/*
 * The loop's life: making its parts in order, running, and giving everything back.
 * Also deferred calls: a list that an idle handle works off, one iteration's at a time.
 */
#include "base/event/loop.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/log.h"

/* epoll, eventfd and signal pipes of libuv; our signalfd and the log's epoll; two spare. */
#define DESCRIPTORS_OF_A_LOOP 10

struct bm_deferred {
	void (*cb)(void *ctx);
	void *ctx;
	struct bm_deferred *next;
};

int bm_uv_error(struct bm_error *err, int result, const char *what)
{
	enum bm_error_code code = BM_ERR_IO;

	if (result == UV_EMFILE || result == UV_ENFILE || result == UV_ENOMEM ||
			result == UV_ENOSPC) {
		code = BM_ERR_TRANSIENT;
	}
	bm_error_set(err, code, "cannot %s: %s", what, uv_strerror(result));
	if (err != NULL) {
		err->os_errno = -result;
	}
	return -1;
}

static void on_deferred(uv_idle_t *idle)
{
	struct bm_loop *loop = idle->data;
	struct bm_deferred *item = loop->deferred;

	/* Calls deferred from here on come next iteration, so that I/O gets its share. */
	loop->deferred = NULL;
	loop->deferred_end = &loop->deferred;
	while (item != NULL) {
		struct bm_deferred *next = item->next;
		item->cb(item->ctx);
		free(item);
		item = next;
	}
	if (loop->deferred == NULL) {
		uv_idle_stop(idle);
	}
}

void bm_loop_defer(struct bm_loop *loop, void (*cb)(void *ctx), void *ctx)
{
	struct bm_deferred *item = bm_alloc(sizeof(*item));

	*item = (struct bm_deferred){.cb = cb, .ctx = ctx};
	*loop->deferred_end = item;
	loop->deferred_end = &item->next;
	uv_idle_start(&loop->deferred_idle, on_deferred);
}

static int init_parts(struct bm_loop *loop, struct bm_error *err)
{
	loop->deferred_end = &loop->deferred;
	uv_idle_init(&loop->uv, &loop->deferred_idle);
	loop->deferred_idle.data = loop;
	if (bm_iterations_init(loop, err) != 0 || bm_log_pump_init(loop, err) != 0) {
		return -1;
	}
	if (bm_reaper_init(loop, err) != 0) {
		return -1;
	}
	return bm_signals_init(loop, err);
}

/* libuv aborts when its own pipes cannot be made; PID 1 rather says what is missing. */
static int ensure_descriptors(struct bm_error *err)
{
	int fds[DESCRIPTORS_OF_A_LOOP];
	int count = 0;

	while (count < DESCRIPTORS_OF_A_LOOP &&
			(fds[count] = open("/", O_PATH | O_CLOEXEC)) >= 0) {
		count++;
	}
	int result = count == DESCRIPTORS_OF_A_LOOP
			? 0
			: bm_error_set(err, BM_ERR_TRANSIENT,
					  "cannot open the %d descriptors of an "
					  "event loop: %m (see ulimit -n)",
					  DESCRIPTORS_OF_A_LOOP);
	while (count > 0) {
		close(fds[--count]);
	}
	return result;
}

struct bm_loop *bm_loop_create(struct bm_error *err)
{
	if (ensure_descriptors(err) != 0) {
		return NULL;
	}
	struct bm_loop *loop = bm_alloc(sizeof(*loop));

	loop->signals.fd = loop->log_pump.epoll_fd = -1;
	int result = uv_loop_init(&loop->uv);
	if (result != 0) {
		bm_uv_error(err, result, "make an event loop");
		free(loop);
		return NULL;
	}
	if (init_parts(loop, err) != 0) {
		bm_loop_destroy(loop);
		return NULL;
	}
	return loop;
}

void bm_loop_run(struct bm_loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	bm_log_flush();
}

void bm_loop_stop(struct bm_loop *loop)
{
	uv_stop(&loop->uv);
}

static void close_if_open(uv_handle_t *handle, void *ctx)
{
	(void)ctx;
	if (!uv_is_closing(handle)) {
		uv_close(handle, NULL); /* its owner is gone; nobody frees it */
	}
}

void bm_loop_destroy(struct bm_loop *loop)
{
	if (loop == NULL) {
		return;
	}
	while (loop->deferred != NULL) {
		struct bm_deferred *next = loop->deferred->next;
		free(loop->deferred);
		loop->deferred = next;
	}
	uv_walk(&loop->uv, close_if_open, NULL);
	while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0) {
		/* until every close callback has come */
	}
	bm_signals_finish(loop);
	bm_reaper_finish(loop);
	bm_log_pump_finish(loop);
	uv_loop_close(&loop->uv);
	free(loop);
}
