/*
 * selected_tables - the tables of the source that a migration is about
 *
 * Ordinary tables and partitions that hold rows, without those of extensions, of
 * Bucardo and of ours; with what Bucardo needs to know of each, or why it cannot
 * replicate it.
 */
#ifndef WORKER_SCHEMA_SELECTED_TABLES_H
#define WORKER_SCHEMA_SELECTED_TABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "worker/session/sides.h"
#include "bucardo_machine/table_filter.h"

struct bm_selected_table {
	char *oid, *schema, *name;
	char *quoted; /* public."My table" */
	char *key;    /* columns of the key, "a|b"; "" none */
	char *key_quoted, *key_types;
	char *columns;	/* what to copy when there are generated columns; "" all */
	char *left_out; /* why Bucardo cannot replicate it; "" it can */
	char *hint;	/* what would change that */
};

struct bm_selected {
	size_t count;
	struct bm_selected_table *tables;
};

/* The rows of bm_table_filter_sql: what the patterns of the request leave out. NULL with `err`;
 * without patterns a result without rows. */
PGresult *bm_selected_filter(struct bm_phase *phase, struct bm_error *err);

/* The relations of a side that they leave out, as a literal of oid[] (free()), of no use on the
 * other side; NULL with `err`. */
char *bm_selected_outside(struct bm_phase *phase, enum bm_side side, struct bm_error *err);

int bm_selected_read(struct bm_phase *phase, struct bm_selected *out, struct bm_error *err);
void bm_selected_finish(struct bm_selected *tables);

/* All of them as a literal of oid[]: "{16384,16390}". */
char *bm_selected_oids(const struct bm_selected *tables);

#endif
