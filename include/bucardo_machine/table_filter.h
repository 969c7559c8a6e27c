/*
 * table_filter - which tables of the source a transfer is about
 *
 * A person says it with patterns (tables.include, tables.exclude); one statement of the
 * source's catalog decides, for preflight, schema, capture, copy and index alike: what
 * the patterns leave out, what has to go with it because it depends on it (views,
 * foreign keys, functions over row types), and what cannot go on without it.
 *
 * Rules: a table, view or foreign table is in when an include matches it, or there is
 * none, and no exclude does. A partition, and a table that inherits, is also matched by
 * what its parents are called. A sequence goes with the column that owns it,
 * and comes with a default that needs it.
 */
#ifndef BUCARDO_MACHINE_TABLE_FILTER_H
#define BUCARDO_MACHINE_TABLE_FILTER_H

#include <stdbool.h>

#include "bucardo_machine/rules.h"

struct pg_result; /* libpq's PGresult */

/* Whether anything is selected at all; without that nothing needs to be asked. */
bool bm_table_filter_is_made(const struct bm_table_filter *filter);

/*
 * The statement, and its only parameter (free()). It gives rows of class, object,
 * name and why by BM_TABLE_FILTER_WHAT:
 *
 *   out      a relation that is left out (its oid in BM_TABLE_FILTER_OBJECT)
 *   follows  an object that has to go with it, a view or foreign key say
 *   stops    a table that is in and cannot be made without what is out
 *   attach   a partition that is in while its parent is out (name: "schema"."table")
 *   detach   the same of an index of such a partition
 *   unused   a pattern that matches nothing
 *   dump     relations that are out, as a pattern for pg_dump
 */
extern const char bm_table_filter_sql[];
char *bm_table_filter_param(const struct bm_table_filter *filter);

enum {
	BM_TABLE_FILTER_WHAT,
	BM_TABLE_FILTER_CLASS,
	BM_TABLE_FILTER_OBJECT,
	BM_TABLE_FILTER_NAME,
	BM_TABLE_FILTER_WHY
};

bool bm_table_filter_row_is(const struct pg_result *rows, int row, const char *what);

/* The relations that are out, as a literal of oid[]; "{}" for NULL rows. free() it. */
char *bm_table_filter_out(const struct pg_result *rows);

#endif
