/*
 * ledger - what is planned and what is done, kept on the destination
 *
 * Schema bucardo_machine: one row about the clone, one a chunk of rows, one an object
 * made after the data. A row is marked done in the transaction that does the work,
 * so after any kill the ledger says exactly what is missing. Nothing in it is secret.
 */
#ifndef WORKER_TRANSFER_LEDGER_H
#define WORKER_TRANSFER_LEDGER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/strbuf.h"

struct bm_chunk {
	unsigned id;
	char *table;	 /* quoted and qualified */
	char *condition; /* which rows; "" for all */
	uint64_t estimate;
	bool done;
	uint64_t rows, bytes;
	char *moment;  /* of the source, that it was read at (moments.h); NULL: not known */
	unsigned wave; /* of rows, see waves.h */
};

#define BM_AFTER_ROWS 1000000U

/* What comes after the data, in this order. Same stage: at the same time. */
enum bm_stage {
	BM_STAGE_BUILD,	  /* indexes, keys, unique and check constraints */
	BM_STAGE_ADOPT,	  /* an index that was built becomes a constraint's */
	BM_STAGE_ATTACH,  /* an index of a partition to its parent's */
	BM_STAGE_REST,	  /* rules, policies, statistics: in the dump's order */
	BM_STAGE_FOREIGN, /* foreign keys */
	BM_STAGE_REFRESH, /* materialised views */
	BM_STAGE_ANALYZE,
	BM_STAGE_TRIGGER,
	BM_STAGE_COUNT
};

struct bm_post_object {
	unsigned id;
	enum bm_stage stage;
	char *name; /* for people: "INDEX public.actor_name" */
	char *sql;
	char *tables[2]; /* those it locks, quoted; "" for none */
	uint64_t cost;	 /* bytes it will look at */
	bool done;
	bool running, tried; /* of this run; not in the ledger */
	bool shares;	     /* may run beside another one that shares the table */
	bool with_path;	     /* is made with the path of the source (path.h) */
	unsigned wave;	     /* is made before this one of rows; BM_AFTER_ROWS */
	bool trusted;	     /* a foreign key that was made before its rows, and checks none */
};

struct bm_ledger {
	struct bm_chunk *chunks;
	size_t chunk_count;
	struct bm_post_object *objects;
	size_t object_count;
	bool schema_done, finished;
};

/* Is there a ledger? 1, 0, or -1 with `err`. */
int bm_ledger_exists(PGconn *destination, struct bm_error *err);

/* What the ledger is about: it serves no other. */
struct bm_ledger_subject {
	const char *source_id; /* which cluster and database the source is */
	const char *filter;    /* which of its tables, any text; "" all */
};

/* Make the schema and its tables, and the row about the clone. */
int bm_ledger_create(PGconn *destination, const struct bm_ledger_subject *subject,
		struct bm_error *err);

/* Read it all; a ledger of another subject is an error. */
int bm_ledger_read(PGconn *destination, const struct bm_ledger_subject *subject,
		struct bm_ledger *out, struct bm_error *err);
void bm_ledger_finish(struct bm_ledger *ledger);

/* Write down the plan: all chunks and objects of `ledger`. Inside a transaction. */
int bm_ledger_plan(PGconn *destination, const struct bm_ledger *ledger, struct bm_error *err);

/* Statements that mark things done; for the transaction that does them. */
void bm_ledger_chunk_done(const struct bm_chunk *chunk, const char *snapshot,
		const char *moment, struct bm_strbuf *sql);
void bm_ledger_object_done(const struct bm_post_object *object, struct bm_strbuf *sql);

/* Is it done there? It waits for a transaction that may be about to do it. 1, 0, -1. */
int bm_ledger_object_is_done(
		PGconn *destination, const struct bm_post_object *object, struct bm_error *err);

/*
 * Make durable what was committed so far (workers do not wait for the disk), then look
 * what of it is there: a destination that crashed lost the last commits, data and
 * ledger together. What memory thinks done and is not becomes undone; `lost` counts it.
 */
int bm_ledger_reconcile(PGconn *destination, struct bm_ledger *ledger, unsigned *lost,
		struct bm_error *err);

/* All done. */
int bm_ledger_close(PGconn *destination, struct bm_error *err);

/* A copy of the text; NULL forgets it. */
void bm_chunk_set_moment(struct bm_chunk *chunk, const char *moment);

/* Add one to the list in memory; texts are taken over. */
struct bm_chunk *bm_ledger_add_chunk(struct bm_ledger *ledger);
struct bm_post_object *bm_ledger_add_object(struct bm_ledger *ledger);

#endif
