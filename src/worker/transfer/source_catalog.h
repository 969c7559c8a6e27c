/*
 * source_catalog - the tables of the source that have rows to copy
 *
 * Ordinary tables and partitions (a partitioned parent has no rows of its own), in
 * the order of their size, with what a COPY of each needs to know.
 */
#ifndef WORKER_TRANSFER_SOURCE_CATALOG_H
#define WORKER_TRANSFER_SOURCE_CATALOG_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"

/* How far a table's binary format may be trusted. */
enum bm_binary {
	BM_BINARY_NEVER,	/* types with OIDs inside, or of an extension */
	BM_BINARY_SAME_VERSION, /* built-in types */
	BM_BINARY_ALWAYS	/* built-in types that never changed */
};

struct bm_table {
	char *name;    /* quoted and qualified */
	char *columns; /* quoted, with commas; without generated ones; "" for none */
	char *filter;  /* of an extension's table: "WHERE ..."; else "" */
	unsigned oid;
	uint64_t bytes; /* with what is stored out of line */
	uint64_t pages; /* of the main part */
	uint64_t rows;	/* about; 0: not known */
	enum bm_binary binary;
	bool is_late;	 /* writing its rows calls functions, which may read the other tables */
	bool needs_path; /* that failed without the path of the source */
};

struct bm_tables {
	struct bm_table *list; /* biggest first */
	size_t count;
};

/* The columns of a unique index that ranges can be made of. */
struct bm_key {
	size_t count; /* 0: the table has none */
	char *columns[32], *types[32];
};

/* Those of `outside`, a literal of oid[], are left out. */
int bm_tables_read(PGconn *source, const char *outside, struct bm_tables *out,
		struct bm_error *err);
void bm_tables_finish(struct bm_tables *tables);

/* Find out which are late. */
int bm_tables_flag_late(PGconn *source, struct bm_tables *tables, struct bm_error *err);

/*
 * The best key of a table: the primary key, else a unique index over columns that
 * cannot be NULL; of built-in types, whose order does not depend on a search path.
 */
int bm_key_read(PGconn *source, unsigned table_oid, struct bm_key *out, struct bm_error *err);
void bm_key_finish(struct bm_key *key);

/* By quoted name; NULL when there is none. */
const struct bm_table *bm_tables_find(const struct bm_tables *tables, const char *name);

#endif
