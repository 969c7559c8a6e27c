/*
 * waves - in which order tables are copied, so that foreign keys are made on empty ones
 *
 * A foreign key is made without a look at any row while the table that refers is empty, but
 * only when the table referred to has its unique index. So tables are copied in waves: those
 * that others refer to come first, then their keys are built, then the foreign keys of the next
 * wave are made, then its rows are copied, which in replica role checks nothing. A small
 * table's key is made before its rows and costs nobody a wave; so is that of a table that
 * refers to itself or stands in a circle.
 *
 * The code has tables that are whole: a partitioned one and all its partitions are one.
 */
#ifndef WORKER_ROWS_WAVES_H
#define WORKER_ROWS_WAVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"

struct bm_transfer;

/* Up to this size a key is made before the rows. Larger ones may be loaded frozen, which needs
 * that nothing refers to them yet. */
#define BM_WAVE_SMALL_BYTES ((uint64_t)1 << 20)

struct bm_wave_table {
	uint64_t bytes;
	bool is_late; /* its rows come when all others are there */
	/* the plan: */
	bool is_keyed; /* its keys are made before its rows */
	bool is_placed;
	unsigned wave;
};

struct bm_wave_key {	 /* a foreign key */
	size_t from, to; /* tables */
	bool is_trusted; /* in: it may be; out: it is made before the rows of `from` */
};

/* Pure. */
void bm_waves_place(struct bm_wave_table *tables, size_t table_count, struct bm_wave_key *keys,
		size_t key_count);

/* Plan it for the chunks and objects of the ledger in memory, when the options want it and the
 * destination lets us copy without triggers. */
int bm_waves_plan(struct bm_transfer *t, struct bm_error *err);

#endif
