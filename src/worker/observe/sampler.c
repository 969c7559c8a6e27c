/* What the threads of the sampler share: how they are started, and how they wait. */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "worker/observe/monitored.h"

/* Enough for the resolver and TLS; only what is touched costs memory. */
#define STACK_BYTES ((size_t)256 * 1024)

int bm_sampler_start_thread(void *(*run)(void *), void *argument, struct bm_error *err)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	errno = pthread_create(&thread, &attributes, run, argument);
	pthread_attr_destroy(&attributes);
	return errno == 0 ? 0
			  : bm_error_set(err, BM_ERR_TRANSIENT, "cannot start a thread: %m");
}

void bm_sampler_wake(struct bm_sampler *sampler)
{
	const uint64_t one = 1;

	/* Only a counter at its end could refuse: then the main thread is awake already. */
	if (write(sampler->wake_fd, &one, sizeof(one)) < 0) {
		return;
	}
}

void bm_sampler_rest(struct bm_sampler *sampler, uint64_t msec, const bool *is_gone)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(msec / 1000);
	until.tv_nsec += (long)(msec % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&sampler->lock);
	unsigned wakes = sampler->wakes;
	while (sampler->wakes == wakes && !*is_gone &&
			pthread_cond_timedwait(&sampler->wake, &sampler->lock, &until) == 0) {
	}
	pthread_mutex_unlock(&sampler->lock);
}

bool bm_sampler_renews(struct bm_sampler *sampler, unsigned *renewal)
{
	pthread_mutex_lock(&sampler->lock);
	bool is_old = sampler->renewals != *renewal;
	*renewal = sampler->renewals;
	pthread_mutex_unlock(&sampler->lock);
	return is_old;
}
