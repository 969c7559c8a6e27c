/*
 * flights - what the members of a crew are at right now, for whoever watches
 *
 * A flight is one batch of rows or one object under way, weighed in bytes of the
 * estimate. Several flights of one table are shown as one part. A flight that ends
 * badly takes back what it seemed to have done; the owner of the sum keeps it from
 * falling.
 *
 * Threads: any; a flight belongs to the thread that began it.
 */
#ifndef WORKER_TRANSFER_FLIGHTS_H
#define WORKER_TRANSFER_FLIGHTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/transfer.h"

/* Members beyond this are not shown one by one. */
#define BM_FLIGHTS 64

struct bm_flight {
	bool used;
	char name[BM_PART_NAME_SIZE];
	uint64_t weight;	      /* of this flight */
	uint64_t done, total;	      /* of the whole part; `done` without what flies */
	double ratio;		      /* bytes that go over for one of weight */
	_Atomic uint64_t moved;	      /* bytes, counted by whoever moves them */
	_Atomic uint64_t rows;	      /* the same */
	uint64_t rows_expected;	      /* about; 0: not known, the bytes have to do */
	int backend;		      /* the server process that builds it; 0: rows */
	int kind;		      /* enum bm_kind of what it builds */
	char step[BM_PART_STEP_SIZE]; /* what the server says it is at */
	uint64_t begun_msec;
	uint64_t seen, seen_msec; /* of `moved` when it was looked at, and since when */
};

struct bm_flights {
	pthread_mutex_t mutex;
	struct bm_flight list[BM_FLIGHTS];
	struct bm_flight spare; /* for those that found no room */
};

void bm_flights_init(struct bm_flights *flights);
void bm_flights_finish(struct bm_flights *flights);

/* Begin one like `like` (name, weight, done, total, ratio, rows_expected, backend, kind). Never
 * NULL. */
struct bm_flight *bm_flight_begin(struct bm_flights *flights, const struct bm_flight *like);

/* It ended; with `landed` the other flights of its part see it as done. Bytes moved. */
uint64_t bm_flight_end(struct bm_flights *flights, struct bm_flight *flight, bool landed);

/* The kind of what a server process builds; false: it is none of ours. */
bool bm_flights_kind(struct bm_flights *flights, int backend, int *kind);

/* A server process says how far it is with what it builds: 0 to 1. It never falls. */
void bm_flights_tell(struct bm_flights *flights, int backend, double part, const char *step);

/* How far it is, by what was moved or told: 0 to 1. Of one that has not ended. */
double bm_flight_part(const struct bm_flight *flight);

/* Rows of one are to come, and no byte has for 5 s: a side does not answer, or a lock is in the
 * way. */
bool bm_flights_stand_still(struct bm_flights *flights);

/* What all of them have done so far, in weight and in bytes of rows. */
struct bm_flown {
	uint64_t weight, bytes;
};
struct bm_flown bm_flights_sum(struct bm_flights *flights);

/* Fill `out` (`room` of them), one for each part; how many there are. */
size_t bm_flights_view(struct bm_flights *flights, struct bm_transfer_part *out, size_t room);

#endif
