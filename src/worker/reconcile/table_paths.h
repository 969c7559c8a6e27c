/*
 * table_paths - tables that a run can read and write only with a search_path
 *
 * A query of a table plans its expression indexes, and a row that is written is checked and
 * computed: functions there may find what they need only through the path of the source. Such
 * tables are in bucardo.machine_paths of the control database, with the path for each side; a
 * run sets it for the statements of that table alone (daemon/bucardo/launch.pl). A path is
 * there only as long as it is safe on that side (worker/transfer/path.h).
 */
#ifndef WORKER_RECONCILE_TABLE_PATHS_H
#define WORKER_RECONCILE_TABLE_PATHS_H

#include "worker/live/pass.h"

/* One row a relation that depends on the path: worker/reconcile/sql/path_functions.sql. */
extern const char bm_path_functions_sql[];
enum {
	BM_CALLS_RELATION,
	BM_CALLS_WHAT,
	BM_CALLS_FUNCTIONS,
	BM_CALLS_HINTS,
	BM_CALLS_OF_EXTENSION,
	BM_CALLS_EACH_ROW
};

/* Write down which tables need one now, and which. */
int bm_table_paths_renew(struct bm_phase *phase, struct bm_error *err);

/* The same while it replicates, now and then. */
int bm_reconcile_paths(struct bm_pass *pass, struct bm_error *err);

#endif
