/*
 * table_keys - keys and names of captured tables that were changed
 *
 * Bucardo's trigger names the columns of the key as they were when the table was captured,
 * and sessions that have fired it remember their types: after a change writes to the table
 * fail, the application's too. So in each pass, at each captured side by itself, the delta
 * and deferred tables and the trigger's function follow the key (its columns are known by
 * their numbers) and the table's name (it is known by its oid), with what waits there
 * (bucardo.machine_follow). When changes may have gone unseen, all rows are sent again.
 */
#ifndef WORKER_TABLES_TABLE_KEYS_H
#define WORKER_TABLES_TABLE_KEYS_H

#include <stdbool.h>

#include "worker/tables/table_check.h"

/* Follow at both sides; fills `keyless` of `pass`, table -> what is wrong with its key. */
int bm_keys_pass(struct bm_pass *pass, struct bm_error *err);

/* Whether no run could tell rows of the table apart; told in `drift`. */
bool bm_keys_evaluate(struct bm_pass *pass, const char *table, struct json_t *drift);

/* Tell Bucardo which columns the keys of the source have now. */
int bm_keys_follow(struct bm_table_check *check, struct bm_error *err);

#endif
