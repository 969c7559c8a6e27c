/* The asker: a list of those who wait, the newest take of each question. */
#include "client/http/http_ask.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"
#include "client/http/http_library.h"

/* An answer serves everybody who asks within this time. */
#define FRESH_MSEC 250

struct http_asker {
	http_talk *talk;
	void *ctx;
	pthread_mutex_t mutex;
	pthread_cond_t called;
	struct http_waiter *waiting;
	struct http_take *newest[HTTP_QUESTION_COUNT];
	struct http_take *last_status; /* the last that came */
};

struct http_asker *http_asker_create(http_talk *talk, void *ctx)
{
	struct http_asker *asker = bm_alloc(sizeof(*asker));
	pthread_condattr_t attributes;

	asker->talk = talk;
	asker->ctx = ctx;
	pthread_mutex_init(&asker->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&asker->called, &attributes);
	pthread_condattr_destroy(&attributes);
	return asker;
}

/* ---- takes; the mutex is held ---- */

static void drop(struct http_take *take)
{
	if (take == NULL || --take->users > 0) {
		return;
	}
	for (int i = 0; i < HTTP_FORM_COUNT; i++) {
		free(take->bodies[i].text);
		free(take->bodies[i].gzip);
	}
	json_decref(take->answer);
	free(take);
}

static struct http_take *share(struct http_take *take)
{
	take->users++;
	return take;
}

static void keep(struct http_take **place, struct http_take *take)
{
	share(take);
	drop(*place);
	*place = take;
}

struct http_take *http_take_share(struct http_asker *asker, const struct http_take *take)
{
	pthread_mutex_lock(&asker->mutex);
	struct http_take *shared = share((struct http_take *)(uintptr_t)take);
	pthread_mutex_unlock(&asker->mutex);
	return shared;
}

void http_take_release(struct http_asker *asker, struct http_take *take)
{
	pthread_mutex_lock(&asker->mutex);
	drop(take);
	pthread_mutex_unlock(&asker->mutex);
}

static bool is_answer_to(const struct http_take *take, const struct http_waiter *waiter)
{
	const struct http_wanted *one = &waiter->wanted;

	return take != NULL && take->wanted.question == one->question &&
			take->wanted.after == one->after && take->wanted.from == one->from &&
			take->wanted.to == one->to && strcmp(take->wanted.name, one->name) == 0;
}

/* ---- who asks ---- */

struct http_take *http_ask(struct http_asker *asker, struct http_waiter *waiter)
{
	struct http_take *take = NULL;

	pthread_mutex_lock(&asker->mutex);
	struct http_take *newest = asker->newest[waiter->wanted.question];
	if (is_answer_to(newest, waiter) && bm_clock_msec() - newest->at_msec <= FRESH_MSEC) {
		take = share(newest);
	} else {
		http_library.suspend_connection(waiter->connection);
		waiter->next = asker->waiting;
		asker->waiting = waiter;
		pthread_cond_signal(&asker->called);
	}
	pthread_mutex_unlock(&asker->mutex);
	return take;
}

struct http_take *http_ask_last_status(struct http_asker *asker)
{
	pthread_mutex_lock(&asker->mutex);
	struct http_take *take = asker->last_status;
	if (take != NULL) {
		share(take);
	}
	pthread_mutex_unlock(&asker->mutex);
	return take;
}

static struct http_take *make_take(
		const struct http_asker *asker, const struct http_wanted *wanted)
{
	struct http_take *take = bm_alloc(sizeof(*take));
	struct bm_error err = BM_ERROR_INIT;

	*take = (struct http_take){.wanted = *wanted,
			.at_msec = bm_clock_msec(),
			.at_wall_msec = bm_clock_wall_msec(),
			.users = 1};
	take->answer = asker->talk(asker->ctx, wanted, &err);
	if (take->answer == NULL) {
		bm_text_copy(take->why, sizeof(take->why), err.message);
	}
	return take;
}

/* ---- the one who asks it ---- */

/* One whose question comes first, so that probes never stand behind others; or NULL. */
static const struct http_waiter *next_waiter(const struct http_asker *asker)
{
	const struct http_waiter *first = asker->waiting;

	for (const struct http_waiter *one = first; one != NULL; one = one->next) {
		if (one->wanted.question < first->wanted.question) {
			first = one;
		}
	}
	return first;
}

/* Those whom it answers, taken off the list: all, when nobody answers. */
static struct http_waiter *serve(struct http_asker *asker, struct http_take *take)
{
	struct http_waiter **place = &asker->waiting, *served = NULL;

	while (*place != NULL) {
		struct http_waiter *one = *place;
		if (take->answer == NULL || is_answer_to(take, one)) {
			*place = one->next;
			one->take = share(take);
			one->next = served;
			served = one;
		} else {
			place = &one->next;
		}
	}
	return served;
}

static void publish(struct http_asker *asker, struct http_take *take)
{
	pthread_mutex_lock(&asker->mutex);
	keep(&asker->newest[take->wanted.question], take);
	if (take->wanted.question == HTTP_ASK_BRIEF && take->answer != NULL) {
		keep(&asker->last_status, take);
	}
	struct http_waiter *served = serve(asker, take);
	drop(take);
	pthread_mutex_unlock(&asker->mutex);
	while (served != NULL) { /* resumed, it may be freed */
		struct http_waiter *next = served->next;
		http_library.resume_connection(served->connection);
		served = next;
	}
}

static void wait_for_call(struct http_asker *asker, unsigned msec)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += msec / 1000;
	until.tv_nsec += (long)(msec % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&asker->called, &asker->mutex, &until);
}

void http_asker_work(struct http_asker *asker, unsigned msec)
{
	struct http_wanted wanted;

	pthread_mutex_lock(&asker->mutex);
	if (asker->waiting == NULL) {
		wait_for_call(asker, msec);
	}
	const struct http_waiter *waiter = next_waiter(asker);
	if (waiter != NULL) {
		wanted = waiter->wanted;
	}
	pthread_mutex_unlock(&asker->mutex);
	if (waiter != NULL) {
		publish(asker, make_take(asker, &wanted));
	}
}
