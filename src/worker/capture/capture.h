/*
 * capture - the parts of phase capture, shared by its files
 */
#ifndef WORKER_CAPTURE_CAPTURE_H
#define WORKER_CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "bucardo_machine/syncs.h"
#include "worker/session/sides.h"
#include "worker/schema/selected_tables.h"

#define BM_CAPTURE_NAME_BYTES 64

/* Tables that are replicated together: "app_sync", "app_sync_2", ... */
struct bm_capture_group {
	char herd[BM_CAPTURE_NAME_BYTES], sync[BM_CAPTURE_NAME_BYTES];
	size_t count;
	struct bm_selected_table **tables; /* borrowed */
	bool *is_done;			   /* of each: its triggers are there */
};

struct bm_capture {
	struct bm_phase *phase;
	/* Names in Bucardo, the same for all groups. */
	char source[BM_CAPTURE_NAME_BYTES], destination[BM_CAPTURE_NAME_BYTES],
			dbgroup[BM_CAPTURE_NAME_BYTES];
	struct bm_selected tables;
	struct bm_capture_group groups[BM_SYNCS_LIMIT]; /* those with tables */
	size_t group_count;
	size_t done, total; /* tables */
};

/* Which of the migration's syncs each table goes to, from 0 on: at most `request.syncs`, but
 * for tables that are in another one already. The caller frees; NULL with `err`. */
unsigned *bm_capture_spread(struct bm_capture *capture, struct bm_error *err);

/* Read the tables and put them into groups; finish `capture` in either case. */
int bm_capture_open(struct bm_phase *phase, struct bm_capture *capture, struct bm_error *err);
void bm_capture_finish(struct bm_capture *capture);

/* All that phase capture does but for the question whose migration it is. */
int bm_capture_take_all(struct bm_phase *phase, struct bm_error *err);

/* Name the group's sync at each side that is captured; before its triggers are made. */
int bm_capture_claim(struct bm_capture *capture, const struct bm_capture_group *group,
		struct bm_error *err);

/* Rows of db, herd, dbgroup and dbmap, made or brought up to date. */
int bm_capture_names(struct bm_capture *capture, struct bm_error *err);

/* Which tables of the group have all that makes them captured. */
int bm_capture_check(struct bm_capture *capture, struct bm_capture_group *group,
		struct bm_error *err);

/* Give the tables that validate_sync() made a replica identity. */
int bm_capture_identify(struct bm_capture *capture, struct bm_error *err);

/* Take `count` tables into the sync: one transaction of the control database, one of
 * each side that is captured. Fails with sqlstate 55P03 when a lock was not to be had. */
int bm_capture_take(struct bm_capture *capture, const struct bm_capture_group *group,
		struct bm_selected_table *const *tables, size_t count, struct bm_error *err);

/* The phase. */
int bm_capture_run(struct bm_phase *phase, struct bm_error *err);

#endif
