/* The bucket. */
#include "worker/pace/pace.h"

/* Parts of a second: the bucket's size, and the largest piece that is read at once. */
#define BUCKET_PARTS 4
#define PIECE_PARTS 50

/* Smaller pieces would cost more than they smooth. */
#define SMALLEST_PIECE 4096

void bm_pace_init(struct bm_pace *pace, uint64_t most, uint64_t now_msec)
{
	*pace = (struct bm_pace){.most = most, .filled_msec = now_msec};
	pthread_mutex_init(&pace->mutex, NULL);
}

void bm_pace_finish(struct bm_pace *pace)
{
	pthread_mutex_destroy(&pace->mutex);
}

void bm_pace_spare(struct bm_pace *pace, uint64_t rate)
{
	pthread_mutex_lock(&pace->mutex);
	pace->spared = rate;
	pthread_mutex_unlock(&pace->mutex);
}

static uint64_t rate_of(const struct bm_pace *pace)
{
	if (pace->most == 0 || (pace->spared != 0 && pace->spared < pace->most)) {
		return pace->spared;
	}
	return pace->most;
}

static void fill(struct bm_pace *pace, uint64_t rate, uint64_t now_msec)
{
	double most = (double)rate / BUCKET_PARTS;

	if (now_msec > pace->filled_msec) {
		pace->left += (double)rate * (double)(now_msec - pace->filled_msec) / 1000;
		pace->filled_msec = now_msec;
	}
	pace->left = pace->left > most ? most : pace->left;
}

static size_t take(struct bm_pace *pace, uint64_t rate, size_t wanted, int *wait_msec)
{
	size_t piece = rate / PIECE_PARTS > SMALLEST_PIECE ? rate / PIECE_PARTS
							   : SMALLEST_PIECE;

	if (pace->left <= 0) {
		*wait_msec = (int)(-pace->left * 1000 / (double)rate) + 1;
		return 0;
	}
	return wanted < piece ? wanted : piece;
}

size_t bm_pace_ask(struct bm_pace *pace, size_t wanted, uint64_t now_msec, int *wait_msec)
{
	size_t allowed = wanted;

	pthread_mutex_lock(&pace->mutex);
	uint64_t rate = rate_of(pace);
	if (rate != 0) {
		fill(pace, rate, now_msec);
		allowed = take(pace, rate, wanted, wait_msec);
	}
	pthread_mutex_unlock(&pace->mutex);
	return allowed;
}

void bm_pace_spend(struct bm_pace *pace, size_t bytes)
{
	pthread_mutex_lock(&pace->mutex);
	if (rate_of(pace) != 0) {
		pace->left -= (double)bytes;
	}
	pthread_mutex_unlock(&pace->mutex);
}
