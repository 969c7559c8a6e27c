/* When to slow down and when to go faster again. Pure. */
#include "worker/rate/throttle.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Late: this many times the baseline, and so much beyond it, which no jitter reaches. */
#define LATE_TIMES 4
#define LATE_MSEC 100

/* No slower than a part of the usual flow, and than this: else it would never end. */
#define SLOWEST_PART 16
#define SLOWEST ((uint64_t)256 * 1024)

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double median(const double *values, size_t count)
{
	double sorted[BM_THROTTLE_ANSWERS];

	count = count > BM_THROTTLE_ANSWERS ? BM_THROTTLE_ANSWERS : count;
	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), by_value);
	return sorted[count / 2];
}

static void begin_window(struct bm_throttle *throttle, uint64_t now_msec, uint64_t bytes)
{
	throttle->count = 0;
	throttle->since_msec = now_msec;
	throttle->since_bytes = bytes;
}

void bm_throttle_init(struct bm_throttle *throttle, const double *msec, size_t count,
		uint64_t now_msec, uint64_t bytes)
{
	*throttle = (struct bm_throttle){.baseline_msec = median(msec, count)};
	begin_window(throttle, now_msec, bytes);
}

static uint64_t at_least(uint64_t value, uint64_t least)
{
	return value > least ? value : least;
}

static enum bm_throttle_change slow_down(struct bm_throttle *throttle, uint64_t speed)
{
	bool is_first = throttle->limit == 0;

	if (is_first) {
		throttle->usual = at_least(speed, SLOWEST);
	}
	uint64_t least = at_least(throttle->usual / SLOWEST_PART, SLOWEST);
	throttle->limit = at_least((is_first ? throttle->usual : throttle->limit) / 2, least);
	return is_first ? BM_THROTTLE_SLOWED : BM_THROTTLE_CHANGED;
}

static enum bm_throttle_change go_faster(struct bm_throttle *throttle)
{
	throttle->limit += throttle->limit / 2;
	if (throttle->limit < throttle->usual) {
		return BM_THROTTLE_CHANGED;
	}
	throttle->limit = 0;
	return BM_THROTTLE_FREE;
}

static enum bm_throttle_change decide(struct bm_throttle *throttle, uint64_t speed)
{
	double late = throttle->baseline_msec * LATE_TIMES;

	throttle->typical_msec = median(throttle->recent, throttle->count);
	if (throttle->typical_msec < throttle->baseline_msec) {
		throttle->baseline_msec = throttle->typical_msec;
	}
	late = late > throttle->baseline_msec + LATE_MSEC ? late
							  : throttle->baseline_msec + LATE_MSEC;
	if (throttle->typical_msec > late) {
		return slow_down(throttle, speed);
	}
	/* Between half of that and all of it is neither late nor well. */
	return throttle->limit != 0 && throttle->typical_msec < late / 2
			? go_faster(throttle)
			: BM_THROTTLE_AS_BEFORE;
}

enum bm_throttle_change bm_throttle_add(
		struct bm_throttle *throttle, double msec, uint64_t now_msec, uint64_t bytes)
{
	throttle->recent[throttle->count++] = msec;
	if (throttle->count < BM_THROTTLE_ANSWERS) {
		return BM_THROTTLE_AS_BEFORE;
	}
	uint64_t span_msec = at_least(now_msec - throttle->since_msec, 1);
	enum bm_throttle_change change = decide(
			throttle, (bytes - throttle->since_bytes) * 1000 / span_msec);
	begin_window(throttle, now_msec, bytes);
	return change;
}
