/* The threads of the pool, and the main thread that waits and tells. */
#include "worker/transfer/pool.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bucardo_machine/alloc.h"

/* Pauses of 1, 2, 4, 8, 16, 16... s: a server may restart meanwhile. */
#define ATTEMPTS 8
#define FIRST_PAUSE_MSEC 1000
#define LONGEST_PAUSE_MSEC 16000

#define TELL_EVERY_MSEC 200

struct pool {
	struct bm_transfer *transfer;
	bm_pool_work *work;
	void *ctx;
	bool with_source;
	pthread_cond_t ended;
	unsigned running;
	bool failed;
	bool is_away;	       /* a server, and it was told */
	struct bm_error error; /* the first one */
};

void bm_pool_thread_disconnect(struct bm_pool_thread *thread)
{
	PQfinish(thread->source);
	PQfinish(thread->destination);
	free(thread->moment);
	thread->source = thread->destination = NULL;
	thread->moment = NULL;
}

static int connect_thread(
		struct pool *pool, struct bm_pool_thread *thread, struct bm_error *err)
{
	struct bm_transfer *t = pool->transfer;

	if (thread->destination != NULL) {
		return 0;
	}
	if (pool->with_source) {
		thread->source = bm_snapshot_join(t, thread->snapshot, &thread->moment, err);
		if (thread->source == NULL) {
			return -1;
		}
	}
	thread->destination = bm_destination_join(t, err);
	return thread->destination != NULL ? 0 : -1;
}

static bool has_failed(struct pool *pool)
{
	pthread_mutex_lock(&pool->transfer->mutex);
	bool failed = pool->failed;
	pthread_mutex_unlock(&pool->transfer->mutex);
	return failed;
}

static void report(struct pool *pool, const struct bm_error *err)
{
	pthread_mutex_lock(&pool->transfer->mutex);
	if (!pool->failed) {
		pool->failed = true;
		pool->error = *err;
	}
	pthread_mutex_unlock(&pool->transfer->mutex);
}

/* A server is unreachable, or is there again: once for all threads, whoever notices first. */
static void report_unreachable(struct pool *pool, const struct bm_error *err)
{
	struct bm_transfer *t = pool->transfer;

	pthread_mutex_lock(&t->mutex);
	if (err == NULL) {
		pool->is_away = false;
		t->waiting[0] = '\0';
	} else if (!pool->is_away) {
		pool->is_away = true;
		bm_text_copy(t->waiting, sizeof(t->waiting), err->message);
		snprintf(t->news, sizeof(t->news), "%.400s; trying again", err->message);
	}
	pthread_mutex_unlock(&t->mutex);
}

/* In short steps, so that another thread's failure ends the wait. */
static void pause_for(struct pool *pool, int msec)
{
	for (; msec > 0 && !has_failed(pool); msec -= TELL_EVERY_MSEC) {
		poll(NULL, 0, TELL_EVERY_MSEC);
	}
}

static void work_off(struct pool *pool, struct bm_pool_thread *thread)
{
	unsigned attempt = 0;
	int pause_msec = FIRST_PAUSE_MSEC;

	while (!has_failed(pool)) {
		struct bm_error err = BM_ERROR_INIT;
		int rc = connect_thread(pool, thread, &err);
		rc = rc == 0 ? pool->work(thread, pool->ctx, &err) : rc;
		if (rc == 0) {
			return;
		}
		if (rc > 0) {
			if (attempt > 0) {
				report_unreachable(pool, NULL);
			}
			attempt = 0;
			pause_msec = FIRST_PAUSE_MSEC;
			continue;
		}
		bm_pool_thread_disconnect(thread);
		if (err.code != BM_ERR_TRANSIENT || ++attempt >= ATTEMPTS) {
			report(pool, &err);
			return;
		}
		report_unreachable(pool, &err);
		pause_for(pool, pause_msec);
		pause_msec = pause_msec * 2 > LONGEST_PAUSE_MSEC ? LONGEST_PAUSE_MSEC
								 : pause_msec * 2;
	}
}

static void *thread_main(void *ctx)
{
	struct pool *pool = ctx;
	struct bm_pool_thread thread = {.transfer = pool->transfer};

	work_off(pool, &thread);
	bm_pool_thread_disconnect(&thread);
	pthread_mutex_lock(&pool->transfer->mutex);
	pool->running--;
	pthread_cond_signal(&pool->ended);
	pthread_mutex_unlock(&pool->transfer->mutex);
	return NULL;
}

static void report_progress(struct bm_transfer *t, int64_t left_msec, const char *remark)
{
	struct bm_transfer_progress view = bm_progress_view(&t->progress, false);

	view.left_msec = left_msec;
	view.remark = remark;
	if (t->options.progress != NULL) {
		t->options.progress(t->options.ctx, &view);
	}
}

void bm_pool_report(struct bm_transfer *t, const char *remark)
{
	report_progress(t, -1, remark);
}

static void report_now(struct bm_transfer *t)
{
	char news[sizeof(t->news)], remark[sizeof(t->waiting)];

	if (t->look != NULL) {
		t->look(t);
	}
	int64_t left_msec = bm_left_msec(t);

	pthread_mutex_lock(&t->mutex);
	bm_text_copy(news, sizeof(news), t->news);
	bm_text_copy(remark, sizeof(remark), t->waiting[0] != '\0' ? t->waiting : t->slowed);
	t->news[0] = '\0';
	pthread_mutex_unlock(&t->mutex);
	if (news[0] != '\0') {
		bm_transfer_note(t, "%s", news);
	}
	report_progress(t, left_msec, remark);
}

static void wait_for_members(struct pool *pool)
{
	struct bm_transfer *t = pool->transfer;

	pthread_mutex_lock(&t->mutex);
	while (pool->running > 0) {
		struct timespec until; /* by the clock that nobody sets */
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += (long)TELL_EVERY_MSEC * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&pool->ended, &t->mutex, &until);
		pthread_mutex_unlock(&t->mutex);
		report_now(t);
		pthread_mutex_lock(&t->mutex);
	}
	pthread_mutex_unlock(&t->mutex);
}

/* One more thread; what pthread_create() says of it, errno being untouched. */
static int start_thread(struct pool *pool, pthread_t *thread)
{
	pthread_mutex_t *mutex = &pool->transfer->mutex;

	pthread_mutex_lock(mutex);
	pool->running++;
	pthread_mutex_unlock(mutex);
	int failure = pthread_create(thread, NULL, thread_main, pool);
	if (failure != 0) {
		pthread_mutex_lock(mutex);
		pool->running--;
		pthread_mutex_unlock(mutex);
	}
	return failure;
}

static void init_ended(struct pool *pool)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->ended, &attributes);
	pthread_condattr_destroy(&attributes);
}

int bm_pool_run(struct bm_transfer *t, unsigned jobs, bool with_source, bm_pool_work *work,
		void *ctx, struct bm_error *err)
{
	struct pool pool = {
			.transfer = t, .work = work, .ctx = ctx, .with_source = with_source};
	pthread_t *threads = bm_alloc((jobs + 1) * sizeof(*threads));
	unsigned started = 0;

	init_ended(&pool);
	for (; started < jobs; started++) {
		int failure = start_thread(&pool, &threads[started]);
		if (failure != 0) {
			struct bm_error why = BM_ERROR_INIT;
			errno = failure;
			bm_error_set(&why, BM_ERR_TRANSIENT, "cannot start a thread: %m");
			report(&pool, &why);
			break;
		}
	}
	wait_for_members(&pool);
	for (unsigned i = 0; i < started; i++) {
		pthread_join(threads[i], NULL);
	}
	pthread_cond_destroy(&pool.ended);
	free(threads);
	if (pool.failed) {
		*err = pool.error;
		return -1;
	}
	return 0;
}
