/*
 * table_names - captured tables that got another name or schema
 *
 * Each side follows by itself (table_keys.h). While the sides call a table differently it is
 * paused; once they agree Bucardo's control database gets the name too, while no run can
 * see it, and it goes on with all that waits.
 */
#ifndef WORKER_TABLES_TABLE_NAMES_H
#define WORKER_TABLES_TABLE_NAMES_H

#include <stdbool.h>

#include "worker/tables/table_check.h"

/* Make what knowing names takes on the destination. */
int bm_names_prepare(struct bm_pass *pass, struct bm_error *err);

/* Read what the captured tables are called now; fills `names` of `check`. */
int bm_names_read(struct bm_table_check *check, struct bm_error *err);

/* The name that Bucardo knows for a captured table; often the same. */
const char *bm_names_goat(const struct bm_table_check *check, const char *table);

/*
 * 1: the sides call it differently, or Bucardo has to learn its name first, and it has to
 * rest: told in `drift`. 0: nothing is wrong, any more. -1 with `err`.
 */
int bm_names_evaluate(struct bm_table_check *check, const char *table, bool is_resting,
		struct json_t *drift, struct bm_error *err);

#endif
