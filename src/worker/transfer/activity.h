/*
 * activity - what the threads of a pool are at right now, for whoever watches
 *
 * One is one batch of rows or one object under way, weighed in bytes of the
 * estimate. Several parts of one table are shown as one part. One that ends
 * badly takes back what it seemed to have done; the owner of the sum keeps it from
 * falling.
 *
 * Threads: any; an activity belongs to the thread that began it.
 */
#ifndef WORKER_TRANSFER_ACTIVITY_H
#define WORKER_TRANSFER_ACTIVITY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/transfer.h"

/* Members beyond this are not shown one by one. */
#define BM_ACTIVITY_SLOTS 64

struct bm_active {
	bool used;
	char name[BM_PART_NAME_SIZE];
	uint64_t weight;	      /* of this one */
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

struct bm_activity {
	pthread_mutex_t mutex;
	struct bm_active list[BM_ACTIVITY_SLOTS];
	struct bm_active spare; /* for those that found no room */
};

void bm_activity_init(struct bm_activity *activity);
void bm_activity_finish(struct bm_activity *activity);

/* Begin one like `like` (name, weight, done, total, ratio, rows_expected, backend, kind). Never
 * NULL. */
struct bm_active *bm_active_begin(struct bm_activity *activity, const struct bm_active *like);

/* It ended; with `committed` the others of its part see it as done. Bytes moved. */
uint64_t bm_active_end(struct bm_activity *activity, struct bm_active *active, bool committed);

/* The kind of what a server process builds; false: it is none of ours. */
bool bm_activity_kind(struct bm_activity *activity, int backend, int *kind);

/* A server process says how far it is with what it builds: 0 to 1. It never falls. */
void bm_activity_report(
		struct bm_activity *activity, int backend, double part, const char *step);

/* How far it is, by what was moved or told: 0 to 1. Of one that has not ended. */
double bm_active_part(const struct bm_active *active);

/* Rows of one are to come, and no byte has for 5 s: a side does not answer, or a lock is in the
 * way. */
bool bm_activity_stand_still(struct bm_activity *activity);

/* What all of them have done so far, in weight and in bytes of rows. */
struct bm_flown {
	uint64_t weight, bytes;
};
struct bm_flown bm_activity_sum(struct bm_activity *activity);

/* Fill `out` (`room` of them), one for each part; how many there are. */
size_t bm_activity_view(
		struct bm_activity *activity, struct bm_transfer_part *out, size_t room);

#endif
