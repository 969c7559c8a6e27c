/* Changes in a folder, gathered for a moment so that a burst is one call. */
#include "base/event/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"

#define GATHER_MSEC 50

struct bm_folder_watch {
	uv_fs_event_t uv;
	uv_timer_t gather;
	void (*cb)(void *ctx, const char *name);
	void *ctx;
	int handles; /* not yet closed */
	bool several;
	char name[256]; /* "" when libuv could not tell */
};

static void on_gathered(uv_timer_t *timer)
{
	struct bm_folder_watch *watch = timer->data;
	bool known = !watch->several && watch->name[0] != '\0';

	watch->cb(watch->ctx, known ? watch->name : NULL);
}

static void on_change(uv_fs_event_t *uv, const char *name, int events, int status)
{
	struct bm_folder_watch *watch = uv->data;

	(void)events;
	(void)status;
	if (uv_is_active((uv_handle_t *)&watch->gather)) {
		watch->several |= name == NULL || strcmp(name, watch->name) != 0;
		return;
	}
	watch->several = false;
	snprintf(watch->name, sizeof(watch->name), "%s", name == NULL ? "" : name);
	uv_update_time(uv->loop);
	uv_timer_start(&watch->gather, on_gathered, GATHER_MSEC, 0);
}

struct bm_folder_watch *bm_folder_watch_create(struct bm_loop *loop, const char *path,
		void (*cb)(void *ctx, const char *name), void *ctx, struct bm_error *err)
{
	struct bm_folder_watch *watch = bm_alloc(sizeof(*watch));

	watch->cb = cb;
	watch->ctx = ctx;
	watch->handles = 2;
	uv_timer_init(&loop->uv, &watch->gather);
	uv_fs_event_init(&loop->uv, &watch->uv);
	watch->gather.data = watch->uv.data = watch;
	int result = uv_fs_event_start(&watch->uv, on_change, path, 0);
	if (result != 0) {
		bm_uv_error(err, result, "watch a folder");
		bm_error_wrap(err, "'%s'", path);
		bm_folder_watch_close(watch);
		return NULL;
	}
	return watch;
}

static void on_closed(uv_handle_t *handle)
{
	struct bm_folder_watch *watch = handle->data;

	if (--watch->handles == 0) {
		free(watch);
	}
}

void bm_folder_watch_close(struct bm_folder_watch *watch)
{
	if (watch != NULL) {
		uv_close((uv_handle_t *)&watch->gather, on_closed);
		uv_close((uv_handle_t *)&watch->uv, on_closed);
	}
}
