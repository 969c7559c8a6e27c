/*
 * estimate - how long the rest of a phase takes
 *
 * By kind of work: what the table of kinds says an object takes, times how much longer (or
 * shorter) than the table this host has taken for that kind so far; for a kind that was
 * not measured yet, for all kinds; for one under way its own ratio counts, the more the
 * further it is. Then the rest is laid out as it will run: stage after stage, so many at
 * once, two that hold one table not together. Until something was measured for a
 * moment nothing is said. Pure.
 */
#ifndef WORKER_RATE_ESTIMATE_H
#define WORKER_RATE_ESTIMATE_H

#include <stddef.h>

#include "bucardo_machine/kinds.h"

/* Less than this of work, by the clock and of all jobs together, says nothing. */
#define BM_ESTIMATE_LEAST_MSEC 1500

/* Work that was done: how long it took, and how long the table says. */
struct bm_effort {
	double msec, nominal_msec;
};

/* One thing that is not done yet: an object, or chunks that are one transaction. */
struct bm_estimate_item {
	enum bm_kind kind;
	unsigned stage;
	bool apart; /* nothing of its stage runs beside it */
	double nominal_msec;
	int holds[2]; /* numbers of tables that it has for itself, below `tables`; -1: none */
	bool running;
	double spent_msec;    /* since it began */
	double part;	      /* of its time, as whoever does it says; 0: not told */
	double reported_msec; /* `spent_msec` when `part` last grew */
};

struct bm_estimate {
	unsigned jobs; /* at once */
	size_t tables;
	const struct bm_estimate_item *items;
	size_t count;
	struct bm_effort measured[BM_KIND_COUNT]; /* what was done before */
};

/* Milliseconds until all items are done; -1: nobody knows yet. */
double bm_estimate_left(const struct bm_estimate *estimate);

#endif
