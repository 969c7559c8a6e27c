/*
 * capture - the parts of phase capture, shared by its files
 */
#ifndef WORKER_CAPTURE_H
#define WORKER_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "worker/phase.h"
#include "worker/chosen.h"

#define BM_CAPTURE_NAME_BYTES 64

/*
 * Tables that are replicated together. With direction both, those with generated
 * columns make a group of their own that goes one way: Bucardo can leave columns out
 * only for a database that is nothing but a target.
 */
struct bm_capture_group {
	char herd[BM_CAPTURE_NAME_BYTES], dbgroup[BM_CAPTURE_NAME_BYTES],
			sync[BM_CAPTURE_NAME_BYTES];
	bool is_both;
	size_t count;
	struct bm_chosen_table **tables; /* borrowed */
	bool *is_done;			 /* of each: its triggers are there */
};

struct bm_capture {
	struct bm_phase *phase;
	char source[BM_CAPTURE_NAME_BYTES], destination[BM_CAPTURE_NAME_BYTES];
	struct bm_chosen tables;
	struct bm_capture_group groups[2]; /* main, forward */
	size_t group_count;
	size_t done, total; /* tables */
};

/* Rows of db, herd, dbgroup and dbmap, made or brought up to date. */
int bm_capture_names(struct bm_capture *capture, struct bm_error *err);

/* Which tables of the group have all that makes them captured. */
int bm_capture_look(struct bm_capture *capture, struct bm_capture_group *group,
		struct bm_error *err);

/* Take `count` tables into the sync: one transaction of the control database, one of
 * each end that is captured. Fails with sqlstate 55P03 when a lock was not to be had. */
int bm_capture_take(struct bm_capture *capture, const struct bm_capture_group *group,
		struct bm_chosen_table *const *tables, size_t count, struct bm_error *err);

#endif
