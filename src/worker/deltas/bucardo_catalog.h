/*
 * bucardo_catalog - what the control database says: databases, syncs, their runs
 *
 * Read whole at each probe; small, and the only source of what to watch.
 */
#ifndef WORKER_DELTAS_BUCARDO_CATALOG_H
#define WORKER_DELTAS_BUCARDO_CATALOG_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bucardo_machine/error.h"
#include "worker/session/conninfo.h"

struct bm_catalog_db {
	char *name;
	bool is_source;
	struct bm_conninfo info;
	char *problem; /* why `info` is of no use; "" otherwise */
};

struct bm_catalog_member { /* a database in a sync */
	size_t db;	   /* index into dbs */
	bool is_source;
	int backend_pid; /* of the session of the open run there; 0 none */
};

struct bm_catalog_sync {
	char *name;
	char *target; /* what marks rows of this sync as done in the track tables */
	bool active, autokick;
	bool run_open;
	int64_t run_age_msec, good_age_msec, bad_age_msec; /* -1 none */
	char *run_status, *bad_text;
	unsigned recent_failures;
	int64_t conflicts;    /* in all runs */
	int64_t applied_rows; /* written and deleted, in all runs */
	pid_t kid_pid;	      /* the process of the KID; 0 not known */
	size_t member_count;
	struct bm_catalog_member *members;
};

struct bm_catalog {
	uint64_t taken_msec; /* 0: never read */
	char owner[24];	     /* the control cluster's system identifier */
	size_t db_count;
	struct bm_catalog_db *dbs;
	size_t sync_count;
	struct bm_catalog_sync *syncs;
};

/* Read everything; each statement may take `limit_msec`. Finish `out` in any case. */
int bm_catalog_read(PGconn *conn, uint64_t limit_msec, struct bm_catalog *out,
		struct bm_error *err);
void bm_catalog_finish(struct bm_catalog *catalog);

#endif
