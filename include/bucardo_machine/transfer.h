/*
 * transfer - schema, rows and indexes of one database into another
 *
 * The code of `bucardo-machine clone`, and of the migration's phases of the same
 * names: plain blocking libpq, in a process of its own that may be killed at any
 * instant. What is done is written down on the destination (schema
 * bucardo_machine, the ledger) in the same transaction as the thing itself, so the
 * next run does exactly what is missing. See docs/clone.md.
 *
 *     bm_transfer_open()      connect, refuse foreign data, take the lock
 *     bm_transfer_schema()    tables, types, functions: all before the data
 *     bm_transfer_copy()      rows, in key ranges, by parallel connections
 *     bm_transfer_index()     indexes, constraints, triggers, statistics
 *     bm_transfer_close()
 *
 * No password is ever part of a connection string here: libpq takes it from the
 * passfile or PGPASSWORD. Threads: one caller; threads of our own inside.
 */
#ifndef BUCARDO_MACHINE_TRANSFER_H
#define BUCARDO_MACHINE_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/error.h"

struct bm_transfer;

/* What is going on; percent never falls, and is 100 only when all is done. */
struct bm_transfer_progress {
	const char *phase; /* "schema", "copy", "index", "done" */
	double percent;	   /* of the whole */
	uint64_t bytes, bytes_total;
	uint64_t rows;
	unsigned done, total; /* chunks while copying, objects while indexing */
	uint64_t elapsed_msec;
	uint64_t reused_chunks; /* finished by an earlier run */
};

struct bm_transfer_options {
	const char *source, *destination; /* conninfo strings or URIs; copied */
	unsigned jobs;			  /* connections at once; 0: 4 */
	uint64_t chunk_bytes;		  /* about this much a chunk; 0: 128 MiB */
	/* Called from bm_transfer_*() a few times a second; may be NULL. */
	void (*progress)(void *ctx, const struct bm_transfer_progress *progress);
	/* Something a person should know: what was left out, what went wrong. */
	void (*note)(void *ctx, const char *text);
	void *ctx;
};

/*
 * Connect to both. Fails without having changed anything when a connection string
 * holds a password, a server cannot be reached, or the destination has data that
 * is not ours. NULL with `err`.
 */
struct bm_transfer *bm_transfer_open(
		const struct bm_transfer_options *options, struct bm_error *err);
void bm_transfer_close(struct bm_transfer *transfer); /* NULL is accepted */

/* An earlier run finished all of it: nothing is left to do. */
bool bm_transfer_is_finished(const struct bm_transfer *transfer);

/* Each does what is missing of it and is harmless to repeat. In this order. */
int bm_transfer_schema(struct bm_transfer *transfer, struct bm_error *err);
int bm_transfer_copy(struct bm_transfer *transfer, struct bm_error *err);
int bm_transfer_index(struct bm_transfer *transfer, struct bm_error *err);

/* The last state that `progress` was told. */
struct bm_transfer_progress bm_transfer_progress(const struct bm_transfer *transfer);

#endif
