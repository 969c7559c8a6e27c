/*
 * delta_facts - questions about Bucardo's tables that the doctor (worker/doctor) and the passes
 * (worker/reconcile) ask
 */
#ifndef WORKER_DELTAS_DELTA_FACTS_H
#define WORKER_DELTAS_DELTA_FACTS_H

/* Of a side: the delta tables that take much room. Of the control database: the syncs of the
 * migration (setting bucardo_machine.migration) whose last run failed. */
extern const char bm_delta_sizes_sql[], bm_failed_runs_sql[];

/* Of the live side: the largest captured tables, with the room of their changes; $1 the
 * migration, $2 how many. */
extern const char bm_largest_tables_sql[];

/* The table of truncates, which a run reads before anything else. */
#define BM_TABLE_OF_TRUNCATES "bucardo_truncate_trigger"

#endif
