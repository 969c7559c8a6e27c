/* The bucket. */
#include "worker/rate/rate_limit.h"

/* Parts of a second: the bucket's size, and the largest piece that is read at once. */
#define BUCKET_PARTS 4
#define PIECE_PARTS 50

/* Smaller pieces would cost more than they smooth. */
#define SMALLEST_PIECE 4096

void bm_rate_limit_init(struct bm_rate_limit *limit, uint64_t most, uint64_t now_msec)
{
	*limit = (struct bm_rate_limit){.most = most, .filled_msec = now_msec};
	pthread_mutex_init(&limit->mutex, NULL);
}

void bm_rate_limit_finish(struct bm_rate_limit *limit)
{
	pthread_mutex_destroy(&limit->mutex);
}

void bm_rate_limit_throttle(struct bm_rate_limit *limit, uint64_t rate)
{
	pthread_mutex_lock(&limit->mutex);
	limit->throttled = rate;
	pthread_mutex_unlock(&limit->mutex);
}

static uint64_t rate_of(const struct bm_rate_limit *limit)
{
	if (limit->most == 0 || (limit->throttled != 0 && limit->throttled < limit->most)) {
		return limit->throttled;
	}
	return limit->most;
}

static void fill(struct bm_rate_limit *limit, uint64_t rate, uint64_t now_msec)
{
	double most = (double)rate / BUCKET_PARTS;

	if (now_msec > limit->filled_msec) {
		limit->left += (double)rate * (double)(now_msec - limit->filled_msec) / 1000;
		limit->filled_msec = now_msec;
	}
	limit->left = limit->left > most ? most : limit->left;
}

static size_t take(struct bm_rate_limit *limit, uint64_t rate, size_t wanted, int *wait_msec)
{
	size_t piece = rate / PIECE_PARTS > SMALLEST_PIECE ? rate / PIECE_PARTS
							   : SMALLEST_PIECE;

	if (limit->left <= 0) {
		*wait_msec = (int)(-limit->left * 1000 / (double)rate) + 1;
		return 0;
	}
	return wanted < piece ? wanted : piece;
}

size_t bm_rate_limit_ask(
		struct bm_rate_limit *limit, size_t wanted, uint64_t now_msec, int *wait_msec)
{
	size_t allowed = wanted;

	pthread_mutex_lock(&limit->mutex);
	uint64_t rate = rate_of(limit);
	if (rate != 0) {
		fill(limit, rate, now_msec);
		allowed = take(limit, rate, wanted, wait_msec);
	}
	pthread_mutex_unlock(&limit->mutex);
	return allowed;
}

void bm_rate_limit_spend(struct bm_rate_limit *limit, size_t bytes)
{
	pthread_mutex_lock(&limit->mutex);
	if (rate_of(limit) != 0) {
		limit->left -= (double)bytes;
	}
	pthread_mutex_unlock(&limit->mutex);
}
