/* When to slow down and when to go faster again. Pure. */
#include "worker/pace/gentle.h"

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
	double sorted[BM_GENTLE_ANSWERS];

	count = count > BM_GENTLE_ANSWERS ? BM_GENTLE_ANSWERS : count;
	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), by_value);
	return sorted[count / 2];
}

static void begin_window(struct bm_gentle *gentle, uint64_t now_msec, uint64_t bytes)
{
	gentle->count = 0;
	gentle->since_msec = now_msec;
	gentle->since_bytes = bytes;
}

void bm_gentle_init(struct bm_gentle *gentle, const double *msec, size_t count,
		uint64_t now_msec, uint64_t bytes)
{
	*gentle = (struct bm_gentle){.baseline_msec = median(msec, count)};
	begin_window(gentle, now_msec, bytes);
}

static uint64_t at_least(uint64_t value, uint64_t least)
{
	return value > least ? value : least;
}

static enum bm_gentle_turn slow_down(struct bm_gentle *gentle, uint64_t speed)
{
	bool is_first = gentle->limit == 0;

	if (is_first) {
		gentle->usual = at_least(speed, SLOWEST);
	}
	uint64_t least = at_least(gentle->usual / SLOWEST_PART, SLOWEST);
	gentle->limit = at_least((is_first ? gentle->usual : gentle->limit) / 2, least);
	return is_first ? BM_GENTLE_SLOWED : BM_GENTLE_CHANGED;
}

static enum bm_gentle_turn go_faster(struct bm_gentle *gentle)
{
	gentle->limit += gentle->limit / 2;
	if (gentle->limit < gentle->usual) {
		return BM_GENTLE_CHANGED;
	}
	gentle->limit = 0;
	return BM_GENTLE_FREE;
}

static enum bm_gentle_turn decide(struct bm_gentle *gentle, uint64_t speed)
{
	double late = gentle->baseline_msec * LATE_TIMES;

	gentle->typical_msec = median(gentle->recent, gentle->count);
	if (gentle->typical_msec < gentle->baseline_msec) {
		gentle->baseline_msec = gentle->typical_msec;
	}
	late = late > gentle->baseline_msec + LATE_MSEC ? late
							: gentle->baseline_msec + LATE_MSEC;
	if (gentle->typical_msec > late) {
		return slow_down(gentle, speed);
	}
	/* Between half of that and all of it is neither late nor well. */
	return gentle->limit != 0 && gentle->typical_msec < late / 2 ? go_faster(gentle)
								     : BM_GENTLE_AS_BEFORE;
}

enum bm_gentle_turn bm_gentle_hear(
		struct bm_gentle *gentle, double msec, uint64_t now_msec, uint64_t bytes)
{
	gentle->recent[gentle->count++] = msec;
	if (gentle->count < BM_GENTLE_ANSWERS) {
		return BM_GENTLE_AS_BEFORE;
	}
	uint64_t span_msec = at_least(now_msec - gentle->since_msec, 1);
	enum bm_gentle_turn turn = decide(
			gentle, (bytes - gentle->since_bytes) * 1000 / span_msec);
	begin_window(gentle, now_msec, bytes);
	return turn;
}
