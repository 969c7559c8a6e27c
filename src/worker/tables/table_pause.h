/*
 * table_pause - tables that are taken out of a sync while they cannot be applied
 *
 * Their triggers go on capturing. What marks a table as paused is the name of its sync
 * in bucardo_delta_names of each captured database, "app_sync (paused)": neither
 * Bucardo nor the machine counts, requeues or purges its changes then, and they are all
 * there when the table is put back.
 */
#ifndef WORKER_TABLES_TABLE_PAUSE_H
#define WORKER_TABLES_TABLE_PAUSE_H

#include "worker/live/pass.h"

/* A sync of the migration. */
struct bm_paused_sync {
	const char *name, *target;
	bool is_both;
};

/* Run `steps`, which make functions in schema bucardo, where the end is captured. */
int bm_pause_prepare_side(struct bm_pass *pass, enum bm_side side, const char *const *steps,
		size_t count, struct bm_error *err);

int bm_pause_prepare(struct bm_pass *pass, struct bm_error *err);

/* Take the tables (an array of names) out of the sync, or put them back; harmless to
 * repeat at any point. Bucardo reads its tables anew when something changed. */
int bm_pause_set(struct bm_pass *pass, const struct bm_paused_sync *sync,
		const struct json_t *names, bool paused, struct bm_error *err);

/* Let Bucardo read the tables of the sync anew. */
int bm_pause_reload(struct bm_pass *pass, const char *sync, struct bm_error *err);

/* The same, in one transaction with a statement about the control database. */
int bm_pause_reload_with(struct bm_pass *pass, const char *sync, const char *sql, int count,
		const char *const *params, struct bm_error *err);

#endif
