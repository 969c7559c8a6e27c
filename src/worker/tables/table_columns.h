/*
 * table_columns - which columns of a table Bucardo applies, kept as the table is
 *
 * A table with generated columns has rows in bucardo.customcols that name the others. When
 * it gets one later, or another column, they are out of date: a run fails, or leaves the
 * new column out without a word. They are renewed while the table is paused, so that no
 * run reads the old ones, and all rows of it are sent again where a run may have.
 * Rows of customcols that a person made are left alone.
 */
#ifndef WORKER_TABLES_TABLE_COLUMNS_H
#define WORKER_TABLES_TABLE_COLUMNS_H

#include <stdbool.h>

#include "worker/tables/table_check.h"

/* Read what is applied and what should be; fills `applied` and `columns` of `check`. */
int bm_columns_read(struct bm_table_check *check, struct bm_error *err);

bool bm_columns_are_stale(const struct bm_table_check *check, const char *table);

/* Bring them up to date; `table` is paused. */
int bm_columns_renew(struct bm_table_check *check, const char *table, struct bm_error *err);

#endif
