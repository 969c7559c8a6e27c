/*
 * rate_limit - how fast rows may flow: one bucket of bytes that all relays of a transfer share
 *
 * The bucket fills at the rate and holds a quarter of a second of it. A relay asks how
 * much it may read now, reads, and says how much it was; several that ask at the same
 * moment may overdraw the bucket by a piece each, which the next ones wait for. Pieces
 * are a fiftieth of a second, so that the flow is even.
 *
 * Two limits: what a person set, and what is added while the source answers late (throttle.h);
 * the lower one counts. No clock of its own: milliseconds come from the caller. Any thread.
 */
#ifndef WORKER_RATE_RATE_LIMIT_H
#define WORKER_RATE_RATE_LIMIT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct bm_rate_limit {
	pthread_mutex_t mutex;
	uint64_t most;	    /* bytes a second that a person allows; 0: any */
	uint64_t throttled; /* the limit of throttle.h; 0: none */
	double left;	    /* bytes in the bucket; below 0: overdrawn */
	uint64_t filled_msec;
};

void bm_rate_limit_init(struct bm_rate_limit *limit, uint64_t most, uint64_t now_msec);
void bm_rate_limit_finish(struct bm_rate_limit *limit);

/* Set or, with 0, lift the limit of throttle.h. */
void bm_rate_limit_throttle(struct bm_rate_limit *limit, uint64_t rate);

/*
 * How many bytes may be read now, at most `wanted`; 0: none before `wait_msec`, at
 * least 1, have passed.
 */
size_t bm_rate_limit_ask(
		struct bm_rate_limit *limit, size_t wanted, uint64_t now_msec, int *wait_msec);

/* So many were read. */
void bm_rate_limit_spend(struct bm_rate_limit *limit, size_t bytes);

#endif
