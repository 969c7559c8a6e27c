/*
 * throttle - copy more slowly while the source answers late
 *
 * Before the first row a few small questions tell how soon the source answers: the
 * baseline. While rows are copied the same question is asked four times a second, a look
 * at one page of the biggest table, chosen at random: it waits for a processor and for
 * the disk as an application does. When the answers of a while took far longer than the
 * baseline, the flow is halved, again and again; when they do not, it grows by half until
 * it is what it was.
 *
 * The decision is pure (struct bm_throttle), what asks is a thread (struct bm_latency_probe).
 */
#ifndef WORKER_RATE_THROTTLE_H
#define WORKER_RATE_THROTTLE_H

#include <stddef.h>
#include <stdint.h>

/* Answers that one decision rests on. */
#define BM_THROTTLE_ANSWERS 5

struct bm_throttle {
	double baseline_msec;
	double recent[BM_THROTTLE_ANSWERS];
	size_t count;
	double typical_msec; /* of the last decision */
	uint64_t limit;	     /* bytes a second; 0: none */
	uint64_t usual;	     /* what went over before it was limited */
	uint64_t since_msec, since_bytes;
};

enum bm_throttle_change {
	BM_THROTTLE_AS_BEFORE,
	BM_THROTTLE_SLOWED,
	BM_THROTTLE_CHANGED,
	BM_THROTTLE_FREE
};

/* Begin with the answers (at least one) of a source that is left alone. */
void bm_throttle_init(struct bm_throttle *throttle, const double *msec, size_t count,
		uint64_t now_msec, uint64_t bytes);

/* One more answer; `bytes` went over so far. What became of `limit`. */
enum bm_throttle_change bm_throttle_add(
		struct bm_throttle *throttle, double msec, uint64_t now_msec, uint64_t bytes);

struct bm_transfer;
struct bm_latency_probe;

/*
 * Learn the baseline, for a few seconds at most, and begin to ask. A source that cannot be
 * asked now is told of, and asked again later. NULL, told as well: it cannot be done.
 */
struct bm_latency_probe *bm_latency_probe_start(struct bm_transfer *transfer);
void bm_latency_probe_stop(struct bm_latency_probe *probe); /* NULL is accepted */

#endif
