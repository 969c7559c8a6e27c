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
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/rules.h"
#include "bucardo_machine/error.h"
#include "bucardo_machine/sessions.h"

struct json_t;

struct bm_transfer;

/* Something that is under way: a table, or an object that is being built. */
#define BM_PART_NAME_SIZE 160
#define BM_PART_STEP_SIZE 64
struct bm_transfer_part {
	char name[BM_PART_NAME_SIZE]; /* "public.film", "INDEX public.film_title" */
	char step[BM_PART_STEP_SIZE]; /* what the server says it is at; "" */
	uint64_t done, total;	      /* bytes by the estimate */
	uint64_t age_msec;
};
#define BM_TRANSFER_PARTS 16

/* What is going on; percent never falls, and is 100 only when all is done. */
struct bm_transfer_progress {
	const char *phase; /* "schema", "copy", "index", "done" */
	double percent;	   /* of the whole */
	/* Of this phase, in bytes by the estimate: never falls, what is reused counts. */
	uint64_t work, work_total;
	int64_t left_msec;	     /* until this phase is done; -1 not known */
	uint64_t bytes, bytes_total; /* that went over */
	uint64_t rows;
	unsigned done, total; /* chunks while copying, objects while indexing */
	uint64_t elapsed_msec;
	uint64_t reused_chunks; /* finished by an earlier run */
	const char *remark;	/* why it is slow or waits; "" */
	size_t part_count;
	struct bm_transfer_part parts[BM_TRANSFER_PARTS];
};

/* The parts as a new JSON array: name, step, done, total, age_ms. */
struct json_t *bm_transfer_parts(const struct bm_transfer_progress *progress);

/* Rows that are committed together: about this much of a table, when nobody says else. */
#define BM_TRANSFER_CHUNK_BYTES ((uint64_t)128 << 20)

/*
 * A table of up to so many chunks is loaded whole, into a file of its own transaction:
 * read in the order of the source's file and written once, where pages of several
 * transactions are written again by whoever reads them first. Measured with 512 MB and a
 * key on two cores: 4.1 s instead of 4.4 s. An interruption costs all of that table, so
 * this is for where that is seconds: nobody asks for another size of chunks or limits the
 * rate, and both servers answer one of a few small questions within a millisecond.
 */
#define BM_TRANSFER_WHOLE_CHUNKS 4
#define BM_TRANSFER_QUESTIONS 5
#define BM_TRANSFER_NEAR_MSEC 1

/* How many ranges a table of `bytes` becomes, when it has a key; at least 1. Pure. */
unsigned bm_chunk_count(uint64_t bytes, uint64_t chunk_bytes, bool whole);

struct bm_transfer_options {
	const struct bm_conninfo *source, *destination; /* copied */
	unsigned jobs;					/* connections at once; 0: 4 */
	uint64_t chunk_bytes;	       /* about this much a chunk; 0: 128 MiB, or whole */
	uint64_t max_rate;	       /* bytes of rows a second, of all jobs; 0: any */
	bool throttle;		       /* copy more slowly while the source answers late */
	struct bm_table_filter filter; /* which tables; borrowed */
	struct bm_role_rules roles;    /* whose they are then; borrowed */
	struct bm_extension_rules extensions; /* borrowed */
	bool fence;    /* refuse writes of others to the destination until it is lifted */
	bool captured; /* what the source's applications write meanwhile is sent afterwards */
	/* Make foreign keys on empty tables, which checks no row (worker/rows/waves.h). For
	 * those who compare both databases afterwards. Counts when the schema is made. */
	bool trust_keys;
	/* Without that: tables of several moments of the source, where they cannot be made one,
	 * are no failure (BM_ERR_MOMENTS). */
	bool accept_moments;
	/* Called from bm_transfer_*() a few times a second; may be NULL. */
	void (*progress)(void *ctx, const struct bm_transfer_progress *progress);
	/* Something a person should know: what was left out, what went wrong. */
	void (*note)(void *ctx, const char *text);
	/* The destination is less than the source in a way that may matter; NULL: it is a note.
	 */
	void (*find)(void *ctx, const char *object, const char *why, const char *hint);
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

/* How many foreign keys were made without a check of the rows: they hold when both databases
 * are equal. The ledger names them: bucardo_machine.work, column trusted. */
unsigned bm_transfer_trusted_keys(const struct bm_transfer *transfer);

/* Each does what is missing of it and is harmless to repeat. In this order. */
int bm_transfer_schema(struct bm_transfer *transfer, struct bm_error *err);
int bm_transfer_copy(struct bm_transfer *transfer, struct bm_error *err);
int bm_transfer_index(struct bm_transfer *transfer, struct bm_error *err);

/* What the same command does after a failure of bm_transfer_*(). */
enum bm_outlook {
	BM_OUTLOOK_GOES_ON,    /* it goes on where this one stopped */
	BM_OUTLOOK_FAILS,      /* it fails again until the cause is fixed, then it goes on */
	BM_OUTLOOK_ANEW,       /* nothing was made: it begins anew */
	BM_OUTLOOK_FAILS_ANEW, /* the same, and fails again until the cause is fixed */
	BM_OUTLOOK_NEVER,      /* it cannot go on: an empty destination is needed */
	BM_OUTLOOK_COUNT
};
enum bm_outlook bm_transfer_outlook(
		const struct bm_transfer *transfer, const struct bm_error *err);

/* The relation that failed, as a pattern that leaves it out (table_filter.h); "" when there is
 * none. It serves an empty destination only: a ledger remembers what was selected. */
const char *bm_transfer_exclude(const struct bm_transfer *transfer);

/* The state as `progress` would be told it now. */
struct bm_transfer_progress bm_transfer_progress(struct bm_transfer *transfer);

#endif
