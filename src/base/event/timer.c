/* One-shot timers. */
#include "base/event/loop.h"

#include <stdlib.h>

#include "bucardo_machine/alloc.h"

struct bm_timer {
	uv_timer_t uv;
	void (*cb)(void *ctx);
	void *ctx;
};

struct bm_timer *bm_timer_create(struct bm_loop *loop, void (*cb)(void *ctx), void *ctx)
{
	struct bm_timer *timer = bm_alloc(sizeof(*timer));

	timer->cb = cb;
	timer->ctx = ctx;
	uv_timer_init(&loop->uv, &timer->uv);
	timer->uv.data = timer;
	return timer;
}

static void on_timer(uv_timer_t *uv)
{
	struct bm_timer *timer = uv->data;

	timer->cb(timer->ctx);
}

void bm_timer_arm(struct bm_timer *timer, uint64_t msec)
{
	/* The loop's idea of now is as old as this iteration; a long one would fire too early.
	 */
	uv_update_time(timer->uv.loop);
	uv_timer_start(&timer->uv, on_timer, msec, 0);
}

void bm_timer_disarm(struct bm_timer *timer)
{
	uv_timer_stop(&timer->uv);
}

bool bm_timer_is_armed(const struct bm_timer *timer)
{
	return uv_is_active((const uv_handle_t *)&timer->uv) != 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void bm_timer_close(struct bm_timer *timer)
{
	if (timer != NULL) {
		uv_close((uv_handle_t *)&timer->uv, on_closed);
	}
}
