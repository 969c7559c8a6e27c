/* Descriptors that become ready. */
#include "base/event/loop.h"

#include <stdlib.h>

#include "bucardo_machine/alloc.h"

struct bm_watch {
	uv_poll_t uv;
	void (*cb)(void *ctx, int events);
	void *ctx;
};

static void on_ready(uv_poll_t *uv, int status, int events)
{
	struct bm_watch *watch = uv->data;
	int out = 0;

	if (status < 0) {
		out = BM_IO_ERROR;
	}
	if ((events & UV_READABLE) != 0) {
		out |= BM_IO_READ;
	}
	if ((events & UV_WRITABLE) != 0) {
		out |= BM_IO_WRITE;
	}
	watch->cb(watch->ctx, out);
}

int bm_watch_change(struct bm_watch *watch, int events, struct bm_error *err)
{
	int wanted = 0;

	if ((events & BM_IO_READ) != 0) {
		wanted |= UV_READABLE;
	}
	if ((events & BM_IO_WRITE) != 0) {
		wanted |= UV_WRITABLE;
	}
	if (wanted == 0) {
		uv_poll_stop(&watch->uv);
		return 0;
	}
	int result = uv_poll_start(&watch->uv, wanted, on_ready);
	return result == 0 ? 0 : bm_uv_error(err, result, "watch a descriptor");
}

struct bm_watch *bm_watch_create(struct bm_loop *loop, int fd, int events,
		void (*cb)(void *ctx, int events), void *ctx, struct bm_error *err)
{
	struct bm_watch *watch = bm_alloc(sizeof(*watch));

	watch->cb = cb;
	watch->ctx = ctx;
	int result = uv_poll_init(&loop->uv, &watch->uv, fd);
	if (result != 0) {
		bm_uv_error(err, result, "watch a descriptor");
		free(watch);
		return NULL;
	}
	watch->uv.data = watch;
	if (bm_watch_change(watch, events, err) != 0) {
		bm_watch_close(watch);
		return NULL;
	}
	return watch;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void bm_watch_close(struct bm_watch *watch)
{
	if (watch != NULL) {
		uv_close((uv_handle_t *)&watch->uv, on_closed);
	}
}
