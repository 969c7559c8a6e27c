/*
 * chosen - the tables of the source that a migration is about
 *
 * Ordinary tables and partitions that hold rows, without those of extensions, of
 * Bucardo and of ours; with what Bucardo needs to know of each, or why it cannot
 * carry it.
 */
#ifndef WORKER_CHOSEN_H
#define WORKER_CHOSEN_H

#include <stdbool.h>
#include <stddef.h>

#include "worker/phase.h"

struct bm_chosen_table {
	char *oid, *schema, *name;
	char *quoted; /* public."My table" */
	char *key;    /* columns of the key, "a|b"; "" none */
	char *key_quoted, *key_types;
	char *columns;	/* what to copy when there are generated columns; "" all */
	char *left_out; /* why Bucardo cannot carry it; "" it can */
	char *mend;	/* what would change that */
};

struct bm_chosen {
	size_t count;
	struct bm_chosen_table *tables;
};

int bm_chosen_read(struct bm_phase *phase, struct bm_chosen *out, struct bm_error *err);
void bm_chosen_finish(struct bm_chosen *tables);

/* All of them as a literal of oid[]: "{16384,16390}". */
char *bm_chosen_oids(const struct bm_chosen *tables);

#endif
