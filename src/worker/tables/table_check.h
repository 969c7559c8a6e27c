/* table_check - one check of the tables of a migration, shared by its parts. */
#ifndef WORKER_TABLES_TABLE_CHECK_H
#define WORKER_TABLES_TABLE_CHECK_H

#include "worker/live/pass.h"

/* Members of a list in the evidence. */
#define BM_PASS_MOST_TOLD 50

struct bm_table_check {
	struct bm_pass *pass;
	bool exact;			     /* both servers are of one version */
	struct json_t *source, *destination; /* table -> fingerprint */
	struct json_t *applied, *columns;    /* table -> what is applied of it, and should be */
	struct json_t *names;		     /* table -> what it is called (table_names.c) */
	struct json_t *running;		     /* tables that are captured and not paused */
	struct json_t *later;		     /* tables that are sent again once fixed */
	struct json_t *uncaptured;	     /* tables whose changes are not captured now */
	struct json_t *drifted;		     /* texts of what differs */
	struct json_t *captured;	     /* tables that are, paused or not */
	struct json_t *fresh;	       /* for the evidence: tables that are not migrated */
	struct json_t *drift, *paused; /* for the evidence */
	int tables;		       /* that are captured */
};

/* The side that rows come from: with direction forward they never go back. */
static inline enum bm_side bm_table_check_live(const struct bm_table_check *check)
{
	return check->pass->phase->request.is_both ? check->pass->live : BM_SIDE_SOURCE;
}

/* Tell what differs, each thing once; `drift` as bm_drift_compare() makes it. */
void bm_table_check_report_drift(struct bm_table_check *check, const struct json_t *drift);

/*
 * What is on the source and not captured: partitions are made on the destination, what
 * is on both sides is captured and its rows sent, of others it is told what to do.
 */
int bm_table_check_new_tables(struct bm_table_check *check, struct bm_error *err);

#endif
