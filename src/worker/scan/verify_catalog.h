/*
 * verify_catalog - what is to be compared: tables of both sides, their columns and keys, and
 * which keys of them may be under way
 *
 * Read once; a table that changes its definition meanwhile fails its statement, or is found to
 * have done so at its end (verify_table.c), which makes it unproven and nothing
 * else.
 */
#ifndef WORKER_SCAN_VERIFY_CATALOG_H
#define WORKER_SCAN_VERIFY_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/table_filter.h"
#include "bucardo_machine/verify.h"
#include "worker/scan/pair.h"

/* How a value is made comparable (digest.c). */
enum bm_verify_way {
	BM_WAY_TEXT, /* by its text */
	BM_WAY_INT,
	BM_WAY_BOOL,
	BM_WAY_UUID,
	BM_WAY_TIMESTAMP,
	BM_WAY_TIMESTAMPTZ,
	BM_WAY_BPCHAR, /* its blanks count */
	BM_WAY_BYTEA,
	BM_WAY_FORMAT, /* of a type that somebody made: by its output function */
	BM_WAY_COUNT
};

struct bm_verify_column {
	char *name; /* quoted */
	char *type; /* of the source, of a domain what it stands for: "bigint" */
	enum bm_verify_way way;
};

struct bm_verify_table {
	char *name;			/* quoted and qualified */
	char *schema, *plain;		/* not quoted */
	bool is_view;			/* materialised */
	char *extension;		/* that it belongs to, which fills it; NULL: none */
	uint64_t rows;			/* of the source, about */
	uint64_t bytes;			/* of the source */
	size_t column_count, key_count; /* no key: it is compared as a whole */
	struct bm_verify_column *columns, *key;
	char *pending[BM_PAIR_SIDES]; /* SELECT of keys that may be under way; NULL: not
					 captured */
	char *applied[BM_PAIR_SIDES]; /* and, where nobody applies meanwhile, of all that were
					 captured: these have to be equal */
	/* The same of keys that wait for a later run, where there is such a table: it is made
	 * when it is needed (deltas/batch_limit.h). */
	char *deferred[BM_PAIR_SIDES], *deferred_name[BM_PAIR_SIDES];
	/* How many truncates of it were captured, and are under way; NULL: not captured. */
	char *truncated[BM_PAIR_SIDES];
	char *definition[BM_PAIR_SIDES]; /* of the columns and the kind, to see that it changed
					  */
	bool is_empty_view;		 /* not populated, on both sides */
	char *problem;			 /* why it cannot be compared; NULL: it can */
	bool is_different; /* `problem` is a difference: "no such table on the destination" */
};

struct bm_verify_catalog {
	size_t count;
	struct bm_verify_table *tables; /* biggest last, so that most is known early */
	bool same_encoding, converted;	/* see struct bm_digest */
};

/* The tables of the source that the options let pass. A pattern of `only` that matches nothing
 * is an error. Finish `out` in either case. */
int bm_verify_catalog_read(struct bm_pair *pair, const struct bm_verify_options *options,
		struct bm_verify_catalog *out, struct bm_error *err);

void bm_verify_catalog_finish(struct bm_verify_catalog *catalog);

#endif
