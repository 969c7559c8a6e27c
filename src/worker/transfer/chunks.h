/*
 * chunks - a big table as ranges of its key
 *
 * Boundaries come from a small sample of the table's pages, in the order of the
 * key: they need not be exact, only disjoint and complete. The first range has no
 * lower end and the last no upper one, so that no row falls outside. Pure: texts of
 * SQL in, texts of SQL out.
 */
#ifndef WORKER_TRANSFER_CHUNKS_H
#define WORKER_TRANSFER_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/transfer.h"
#include "worker/transfer/source_catalog.h"

/* A SELECT that gives at most `count` - 1 boundaries in order, one text a key column. */
void bm_chunk_boundaries(const struct bm_table *table, const struct bm_key *key, unsigned count,
		struct bm_strbuf *sql);

/* The condition of one range; NULL is an open end. Nothing is added when both are. */
void bm_chunk_condition(const struct bm_key *key, const char *const *low,
		const char *const *high, struct bm_strbuf *sql);

/* COPY statements of a table, or of the part that meets `condition` ("" for all). */
void bm_chunk_copy_out(const struct bm_table *table, const char *condition, bool binary,
		struct bm_strbuf *sql);
/* `frozen`: the table is empty, and all its rows come in this transaction. */
void bm_chunk_copy_in(
		const struct bm_table *table, bool binary, bool frozen, struct bm_strbuf *sql);

#endif
