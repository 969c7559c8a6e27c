/*
 * progress - how far the whole is
 *
 * One number of units for everything: a byte to copy is one, an object to build
 * weighs by the bytes it reads. The percentage never falls and is 100 only at the end.
 */
#ifndef WORKER_TRANSFER_PROGRESS_H
#define WORKER_TRANSFER_PROGRESS_H

#include <stdatomic.h>
#include <stdint.h>

#include "bucardo_machine/transfer.h"
#include "worker/transfer/activity.h"

struct bm_progress {
	uint64_t begun_msec, reported_msec;
	const char *phase;
	uint64_t units_total;	      /* known after the plan */
	_Atomic uint64_t units_done;  /* whole things */
	_Atomic uint64_t bytes_moved; /* all that went over and landed or got lost, this run */
	_Atomic uint64_t rows;
	_Atomic unsigned done;
	unsigned total;
	uint64_t bytes_total;
	uint64_t bytes_before; /* by earlier runs */
	uint64_t reused_chunks;
	double highest;
	/* of the phase whose progress is told: */
	const char *work_phase;
	uint64_t work_highest;
	struct bm_activity activity;
};

/* The percentage for so much done; below 100 unless `finished`. Pure. */
double bm_progress_percent(double highest, uint64_t done, uint64_t total, bool finished);

/* For one thread, the one that tells. */
struct bm_transfer_progress bm_progress_view(struct bm_progress *progress, bool finished);

#endif
