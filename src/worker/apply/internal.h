/* internal - what the files of worker/apply share */
#ifndef WORKER_APPLY_INTERNAL_H
#define WORKER_APPLY_INTERNAL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/strbuf.h"
#include "worker/apply/apply.h"
#include "worker/session/pipeline.h"
#include "worker/scan/digest.h"
#include "worker/scan/keys.h"
#include "worker/scan/verify_catalog.h"

enum bm_apply_end { BM_APPLY_FROM, BM_APPLY_TO, BM_APPLY_ENDS };

/* Keys that one statement names, as a KID does it. */
#define BM_APPLY_CHUNK "6000"

/* Bytes of keys that are held at once. */
#define BM_APPLY_BYTES ((size_t)256 << 20)

/* A column of the key on one side. */
struct bm_apply_column {
	char *name;  /* quoted */
	char *type;  /* "character varying", of a domain what it stands for */
	char *equal; /* "OPERATOR(pg_catalog.=)" */
	bool is_domain;
};

/* Keys of one statement: of each column the text of an array. */
struct bm_apply_chunk {
	char **arrays;
	uint64_t keys;
};

struct bm_apply_chunks {
	size_t count;
	struct bm_apply_chunk *list;
};

struct bm_apply_table {
	char *name; /* quoted and qualified */
	char *delta, *track, *sync, *target;
	bool is_paused;
	bool is_shared; /* others take from it on `to` */
	char *problem;	/* why nothing of it can be carried; NULL: it can */
	size_t key_count;
	struct bm_apply_column *key[BM_APPLY_ENDS];
	bool is_partitioned;	   /* on `to`: rows go to its partitions */
	bool one_spelling;	   /* equal keys are the same bytes */
	char *path[BM_APPLY_ENDS]; /* search_path of its statements; NULL: the session's */
	char *columns;		   /* that are copied: "a, b" */
	char *definition[BM_APPLY_ENDS];
	const struct bm_verify_table *verified; /* NULL: cannot be compared */
	char *ask_name, *keys_sql, *delete_sql;

	/* Of a pass. */
	bool waits, has_twins;
	size_t places[2]; /* of its first statements in the pipeline under way */
	struct bm_apply_chunks now;

	struct bm_apply_chunks carried; /* since bm_apply_forget() */
};

struct bm_apply {
	PGconn *conns[BM_APPLY_ENDS];
	char *migration;
	enum bm_side from_side;
	unsigned number; /* of the process, for the names of statements */
	char *captured;	 /* changes with the list of captured tables */
	size_t count;
	struct bm_apply_table *tables;
	struct bm_verify_catalog catalog;
	struct bm_digest digest;
	size_t carried_bytes;
	bool too_many; /* carried keys to remember all */

	/* Of a pass. */
	uint64_t begun_msec, deadline_msec, limit_msec;
	bool is_callers; /* the transaction on `from` */
	struct bm_apply_result result;
};

/* The side of an end, as verify/ numbers them. */
static inline enum bm_pair_side bm_apply_side(
		const struct bm_apply *apply, enum bm_apply_end end)
{
	bool is_source = (apply->from_side == BM_SIDE_SOURCE) == (end == BM_APPLY_FROM);

	return is_source ? BM_PAIR_SOURCE : BM_PAIR_DESTINATION;
}

/* "source", "destination". */
static inline const char *bm_apply_end_name(const struct bm_apply *apply, enum bm_apply_end end)
{
	return bm_pair_side_name(bm_apply_side(apply, end));
}

/* ---- apply_tables.c: what is captured, and the statements for it ---- */

int bm_apply_read(struct bm_apply *apply, struct bm_error *err);
void bm_apply_free_tables(struct bm_apply *apply);

size_t bm_apply_chunks_bytes(
		const struct bm_apply_table *table, const struct bm_apply_chunks *chunks);
void bm_apply_chunks_clear(struct bm_apply_table *table, struct bm_apply_chunks *chunks);

/* A problem of a table, unless it has one. */
void bm_apply_set_problem(struct bm_apply_table *table, const char *format, ...)
		__attribute__((format(printf, 2, 3)));

/* The search_path of its statements on that side from here on, and the usual one again; nothing
 * where it needs none. How many statements that is. */
size_t bm_apply_add_path(const struct bm_apply_table *table, enum bm_apply_end end,
		struct bm_pipeline *pipeline);
size_t bm_apply_add_usual_path(const struct bm_apply_table *table, enum bm_apply_end end,
		struct bm_pipeline *pipeline);

/* ---- apply_statements.c ---- */

/* "bm.k = ANY (...)": the rows of table "bm" whose keys are given; `arrays` NULL: by the
 * parameters from 1 on. */
void bm_apply_condition(const struct bm_apply_table *table, enum bm_apply_end end,
		char *const *arrays, struct bm_strbuf *out);

/* The statement that asks whether something waits of a table ($1: the target): two booleans. */
void bm_apply_ask_sql(const struct bm_apply_table *table, struct bm_strbuf *out);

/* Takes the keys that wait and marks them as done ($1: the target): rows of a count and an
 * array for each column; and the delete by such arrays. free(). */
char *bm_apply_keys_sql(const struct bm_apply_table *table);
char *bm_apply_delete_sql(const struct bm_apply_table *table);

/* ---- apply_keys.c: what waits on `from` ---- */

/* Begin there, ask all tables, and take the keys of those in which something waits. */
int bm_apply_take_keys(struct bm_apply *apply, struct bm_error *err);

/* What is captured, before it is read; and prepare what asks all tables. */
int bm_apply_read_state(struct bm_apply *apply, struct bm_error *err);
int bm_apply_prepare(struct bm_apply *apply, struct bm_error *err);

/* As far as the pass may still take: limits of the server for the transaction that begins. */
void bm_apply_add_limits(struct bm_apply *apply, struct bm_pipeline *pipeline);

/* The table that the statement at this place is for, in front of the error. */
int bm_apply_name_failed(const struct bm_apply *apply, size_t place, struct bm_error *err);
void bm_apply_forget_places(struct bm_apply *apply);

/* What verify_definition.sql found of a table is what it was. */
int bm_apply_same_definition(struct bm_apply *apply, const struct bm_apply_table *table,
		enum bm_apply_end end, const PGresult *found, struct bm_error *err);

/* ---- apply_rows.c: the rows of those keys on `to` ---- */

int bm_apply_rows(struct bm_apply *apply, struct bm_error *err);

/* Milliseconds that the pass may still take, at least one. */
uint64_t bm_apply_left(const struct bm_apply *apply);

#endif
