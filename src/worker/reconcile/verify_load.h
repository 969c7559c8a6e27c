/*
 * verify_load - how gently the background reads (worker verify)
 *
 * It reads for a part of the time only, and rests for the others. While the source answers a
 * small question much later than before, it reads as much more slowly as a copy would
 * (rate/throttle.h).
 *
 * Threads: one at a time.
 */
#ifndef WORKER_RECONCILE_VERIFY_LOAD_H
#define WORKER_RECONCILE_VERIFY_LOAD_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "worker/rate/throttle.h"

struct json_t;

struct bm_verify_load {
	unsigned max_load; /* percent */
	struct bm_throttle throttle;
	bool has_learned;
	uint64_t bytes; /* read so far */
	/* Of the rate that is told: since when it is measured, what was read by then, and the
	 * last one (bytes a second, rests included). */
	uint64_t since_msec, since_bytes, rate;
	double answer_msec; /* the last one */
	uint64_t asked_msec;
};

/* Learn how soon the source answers, before a pass. */
int bm_verify_load_learn(struct bm_verify_load *load, PGconn *source, struct bm_error *err);

/* So many bytes were read in `took_msec`: how long to rest now. */
uint64_t bm_verify_load_rest(struct bm_verify_load *load, PGconn *source, uint64_t took_msec,
		uint64_t bytes);

/* While it rests: ask once more, where the last question was a second ago. */
void bm_verify_load_look(struct bm_verify_load *load, PGconn *source);

/* Put member `rate` of docs/status.md, `verify`, into `evidence`. */
void bm_verify_load_tell(struct bm_verify_load *load, struct json_t *evidence);

#endif
