/*
 * plan_report - what a migration would do, told before anything is touched
 *
 * One line "plan" (docs/worker-protocol.md): the tables and their sizes, chunks and
 * connections, the locks that are taken, how long it takes by a short measurement,
 * and what is not migrated.
 */
#ifndef WORKER_PREFLIGHT_PLAN_REPORT_H
#define WORKER_PREFLIGHT_PLAN_REPORT_H

#include "worker/schema/selected_tables.h"

struct json_t;

/* Look, measure and tell. `oids` as bm_selected_oids() gives them. */
int bm_plan_report(struct bm_phase *phase, const struct bm_selected *tables, const char *oids,
		struct bm_error *err);

/* What is not migrated, a JSON array (plan_left.c); new. */
struct json_t *bm_plan_left(struct bm_phase *phase, const struct bm_selected *tables);

#endif
