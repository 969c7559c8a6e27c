/* Stage by stage, several at once, as what comes after the rows. */
#include "worker/rows/make_objects.h"

#include <poll.h>
#include <stdlib.h>

#include "bucardo_machine/hints.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "worker/transfer/path.h"
#include "worker/transfer/post_data.h"
#include "worker/transfer/activity_names.h"

#define WAIT_MSEC 2

int bm_objects_make(struct bm_pool_thread *thread, struct bm_post_object *const *objects,
		size_t count, const char *path, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_strbuf_puts(&sql, "BEGIN;");
	for (size_t i = 0; i < count; i++) {
		char *wrapped = path != NULL ? bm_path_wrap(path, objects[i]->sql) : NULL;
		bm_strbuf_printf(&sql, "%s\n;", wrapped != NULL ? wrapped : objects[i]->sql);
		free(wrapped);
		bm_ledger_object_done(objects[i], &sql);
	}
	bm_strbuf_puts(&sql, "COMMIT");
	int rc = bm_sql_do(thread->destination, bm_strbuf_text(&sql), err);
	bm_strbuf_finish(&sql);
	if (rc != 0 && PQstatus(thread->destination) == CONNECTION_OK) {
		bm_sql_do(thread->destination, "ROLLBACK", NULL);
	}
	return rc;
}

/* ---- before a wave ---- */

struct making {
	struct bm_transfer *transfer;
	struct bm_running running;
	bool *failed;
};

static struct bm_post_object *take(struct making *making, bool *waiting)
{
	struct bm_ledger *ledger = &making->transfer->ledger;
	struct bm_post_object *object = NULL;

	pthread_mutex_lock(&making->transfer->mutex);
	if (making->running.count < BM_COUNT_OF(making->running.list)) {
		object = bm_post_data_next(ledger->objects, ledger->object_count,
				&making->running, making->failed, waiting);
	}
	*waiting = *waiting || making->running.count > 0;
	if (object != NULL) {
		object->running = true;
		making->running.list[making->running.count++] = object;
	}
	pthread_mutex_unlock(&making->transfer->mutex);
	return object;
}

static void give_back(struct making *making, struct bm_post_object *object, bool made)
{
	struct bm_running *running = &making->running;
	size_t kept = 0;

	pthread_mutex_lock(&making->transfer->mutex);
	for (size_t i = 0; i < running->count; i++) {
		if (running->list[i] != object) {
			running->list[kept++] = running->list[i];
		}
	}
	running->count = kept;
	object->running = false;
	object->done = made;
	pthread_mutex_unlock(&making->transfer->mutex);
}

/* 1: made; 0: it cannot be, for now; -1: the session is lost, or the disk full. */
static int make(struct bm_pool_thread *thread, struct bm_post_object *object,
		struct bm_error *err)
{
	int rc = object->tried ? bm_ledger_object_is_done(thread->destination, object, err) : 0;

	object->tried = true;
	if (rc != 0) {
		return rc;
	}
	object->trusted = object->stage == BM_STAGE_FOREIGN;
	rc = bm_objects_make(thread, &object, 1, NULL, err);
	if (rc != 0) {
		object->trusted = false;
	}
	bool is_over = rc != 0 && (err->code == BM_ERR_TRANSIENT || bm_sql_is_full(err));
	return rc == 0 ? 1 : is_over ? -1 : 0;
}

static int make_next(struct bm_pool_thread *thread, void *ctx, struct bm_error *err)
{
	struct making *making = ctx;
	bool waiting = false;
	struct bm_post_object *object = take(making, &waiting);

	if (object == NULL) {
		if (waiting) {
			poll(NULL, 0, WAIT_MSEC);
		}
		return waiting ? 1 : 0;
	}
	thread->active = bm_activity_of_objects(thread, &object, 1);
	int rc = make(thread, object, err);
	bm_active_end(&thread->transfer->progress.activity, thread->active, false);
	thread->active = NULL;
	making->failed[object - making->transfer->ledger.objects] = rc == 0;
	give_back(making, object, rc > 0);
	return rc < 0 ? -1 : 1;
}

static unsigned count_missing(const struct bm_ledger *ledger, unsigned wave)
{
	unsigned count = 0;

	for (size_t i = 0; i < ledger->object_count; i++) {
		count += !ledger->objects[i].done && ledger->objects[i].wave <= wave;
	}
	return count;
}

int bm_objects_make_before(struct bm_transfer *t, unsigned wave, struct bm_error *err)
{
	struct making making = {.transfer = t, .running = {.wave = wave}};
	unsigned missing = count_missing(&t->ledger, wave);

	if (missing == 0) {
		return 0;
	}
	making.failed = bm_alloc(t->ledger.object_count * sizeof(*making.failed));
	int rc = bm_pool_run(t, missing < t->options.jobs ? missing : t->options.jobs, false,
			make_next, &making, err);
	free(making.failed);
	return rc;
}
