/* The members' threads, and the main thread that waits and tells. */
#include "worker/transfer/crew.h"

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

struct crew {
	struct bm_transfer *transfer;
	bm_crew_work *work;
	void *ctx;
	bool with_source;
	pthread_cond_t ended;
	unsigned running;
	bool failed;
	bool is_away;	       /* a server, and it was told */
	struct bm_error error; /* the first one */
};

void bm_member_disconnect(struct bm_member *member)
{
	PQfinish(member->source);
	PQfinish(member->destination);
	free(member->moment);
	member->source = member->destination = NULL;
	member->moment = NULL;
}

static int connect_member(struct crew *crew, struct bm_member *member, struct bm_error *err)
{
	struct bm_transfer *t = crew->transfer;

	if (member->destination != NULL) {
		return 0;
	}
	if (crew->with_source) {
		member->source = bm_snapshot_join(t, member->snapshot, &member->moment, err);
		if (member->source == NULL) {
			return -1;
		}
	}
	member->destination = bm_destination_join(t, err);
	return member->destination != NULL ? 0 : -1;
}

static bool has_failed(struct crew *crew)
{
	pthread_mutex_lock(&crew->transfer->mutex);
	bool failed = crew->failed;
	pthread_mutex_unlock(&crew->transfer->mutex);
	return failed;
}

static void report(struct crew *crew, const struct bm_error *err)
{
	pthread_mutex_lock(&crew->transfer->mutex);
	if (!crew->failed) {
		crew->failed = true;
		crew->error = *err;
	}
	pthread_mutex_unlock(&crew->transfer->mutex);
}

/* A server is away, or is there again: once for all members, whoever notices first. */
static void report_away(struct crew *crew, const struct bm_error *err)
{
	struct bm_transfer *t = crew->transfer;

	pthread_mutex_lock(&t->mutex);
	if (err == NULL) {
		crew->is_away = false;
		t->waiting[0] = '\0';
	} else if (!crew->is_away) {
		crew->is_away = true;
		bm_text_copy(t->waiting, sizeof(t->waiting), err->message);
		snprintf(t->news, sizeof(t->news), "%.400s; trying again", err->message);
	}
	pthread_mutex_unlock(&t->mutex);
}

/* In short steps, so that another member's failure ends the wait. */
static void pause_for(struct crew *crew, int msec)
{
	for (; msec > 0 && !has_failed(crew); msec -= TELL_EVERY_MSEC) {
		poll(NULL, 0, TELL_EVERY_MSEC);
	}
}

static void work_off(struct crew *crew, struct bm_member *member)
{
	unsigned attempt = 0;
	int pause_msec = FIRST_PAUSE_MSEC;

	while (!has_failed(crew)) {
		struct bm_error err = BM_ERROR_INIT;
		int rc = connect_member(crew, member, &err);
		rc = rc == 0 ? crew->work(member, crew->ctx, &err) : rc;
		if (rc == 0) {
			return;
		}
		if (rc > 0) {
			if (attempt > 0) {
				report_away(crew, NULL);
			}
			attempt = 0;
			pause_msec = FIRST_PAUSE_MSEC;
			continue;
		}
		bm_member_disconnect(member);
		if (err.code != BM_ERR_TRANSIENT || ++attempt >= ATTEMPTS) {
			report(crew, &err);
			return;
		}
		report_away(crew, &err);
		pause_for(crew, pause_msec);
		pause_msec = pause_msec * 2 > LONGEST_PAUSE_MSEC ? LONGEST_PAUSE_MSEC
								 : pause_msec * 2;
	}
}

static void *member_main(void *ctx)
{
	struct crew *crew = ctx;
	struct bm_member member = {.transfer = crew->transfer};

	work_off(crew, &member);
	bm_member_disconnect(&member);
	pthread_mutex_lock(&crew->transfer->mutex);
	crew->running--;
	pthread_cond_signal(&crew->ended);
	pthread_mutex_unlock(&crew->transfer->mutex);
	return NULL;
}

static void tell_progress(struct bm_transfer *t, int64_t left_msec, const char *remark)
{
	struct bm_transfer_progress view = bm_progress_view(&t->progress, false);

	view.left_msec = left_msec;
	view.remark = remark;
	if (t->options.progress != NULL) {
		t->options.progress(t->options.ctx, &view);
	}
}

void bm_crew_tell(struct bm_transfer *t, const char *remark)
{
	tell_progress(t, -1, remark);
}

static void tell(struct bm_transfer *t)
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
	tell_progress(t, left_msec, remark);
}

static void wait_for_members(struct crew *crew)
{
	struct bm_transfer *t = crew->transfer;

	pthread_mutex_lock(&t->mutex);
	while (crew->running > 0) {
		struct timespec until; /* by the clock that nobody sets */
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += (long)TELL_EVERY_MSEC * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&crew->ended, &t->mutex, &until);
		pthread_mutex_unlock(&t->mutex);
		tell(t);
		pthread_mutex_lock(&t->mutex);
	}
	pthread_mutex_unlock(&t->mutex);
}

/* One more thread; what pthread_create() says of it, errno being untouched. */
static int start_member(struct crew *crew, pthread_t *thread)
{
	pthread_mutex_t *mutex = &crew->transfer->mutex;

	pthread_mutex_lock(mutex);
	crew->running++;
	pthread_mutex_unlock(mutex);
	int failure = pthread_create(thread, NULL, member_main, crew);
	if (failure != 0) {
		pthread_mutex_lock(mutex);
		crew->running--;
		pthread_mutex_unlock(mutex);
	}
	return failure;
}

static void init_ended(struct crew *crew)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&crew->ended, &attributes);
	pthread_condattr_destroy(&attributes);
}

int bm_crew_run(struct bm_transfer *t, unsigned jobs, bool with_source, bm_crew_work *work,
		void *ctx, struct bm_error *err)
{
	struct crew crew = {
			.transfer = t, .work = work, .ctx = ctx, .with_source = with_source};
	pthread_t *threads = bm_alloc((jobs + 1) * sizeof(*threads));
	unsigned started = 0;

	init_ended(&crew);
	for (; started < jobs; started++) {
		int failure = start_member(&crew, &threads[started]);
		if (failure != 0) {
			struct bm_error why = BM_ERROR_INIT;
			errno = failure;
			bm_error_set(&why, BM_ERR_TRANSIENT, "cannot start a thread: %m");
			report(&crew, &why);
			break;
		}
	}
	wait_for_members(&crew);
	for (unsigned i = 0; i < started; i++) {
		pthread_join(threads[i], NULL);
	}
	pthread_cond_destroy(&crew.ended);
	free(threads);
	if (crew.failed) {
		*err = crew.error;
		return -1;
	}
	return 0;
}
