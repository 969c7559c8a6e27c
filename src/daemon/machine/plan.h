/*
 * plan - compare what is desired with what is observed, and name the next step
 *
 * Pure: no clock, no files, no processes; the same input gives the same answer,
 * which is why a crash at any instant is just another start. Two answers come
 * out: what every unit should be (`want`), and at most one action that prepares
 * the next unit. The caller carries them out and asks again.
 *
 * Order: extra units start one after the other, and none while a unit that the
 * configuration no longer has still runs: it may hold the port of its successor.
 * postgres needs the volume only; Bucardo needs all of them. Nobody needs http, which
 * says how the others are: it runs from first to last, also while the machine holds. Down
 * goes the other way round. A stop waits for units alone: what else is at work (initdb, the
 * installation) is cancelled with the machine, and redone by the next one.
 */
#ifndef DAEMON_MACHINE_PLAN_H
#define DAEMON_MACHINE_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "bucardo_machine/postgres.h"
#include "bucardo_machine/supervise.h"

enum bm_role { BM_ROLE_CLIENT, BM_ROLE_EXTRA, BM_ROLE_POSTGRES, BM_ROLE_BUCARDO };

struct bm_plan_unit {
	enum bm_role role;
	enum bm_unit_state state;
	bool stopped; /* an operator wants it down */
	bool retired; /* no longer in the configuration */
};

struct bm_plan_input {
	bool stopping; /* somebody asked the machine to end */
	bool holding;  /* the volume must not be touched */
	enum bm_cluster_found cluster;
	bool creating_cluster; /* initdb is at work */
	bool postmaster_clear; /* no leftover of an earlier postmaster */
	bool tree_clear;       /* no leftover of an earlier Bucardo */
	bool installing;       /* the Bucardo installation is at work */
	bool installed;
	bool install_may_retry;	 /* the last try, if any, is long enough ago */
	bool databases_in_reach; /* starting Bucardo makes sense */
	size_t unit_count;	 /* http, extras, then postgres, then Bucardo */
	const struct bm_plan_unit *units;
};

enum bm_action {
	BM_ACTION_WAIT, /* nothing to do before the next event */
	BM_ACTION_EXIT,
	BM_ACTION_GIVE_UP, /* begin an ordered stop that ends with BM_EXIT_FAILED */
	BM_ACTION_CLEAR_TREE,
	BM_ACTION_CREATE_CLUSTER,
	BM_ACTION_CLEAR_POSTMASTER,
	BM_ACTION_INSTALL,
	BM_ACTION_COUNT
};

/* Fills want[unit_count]; returns the action, and why in `why` (static text). */
enum bm_action bm_plan(const struct bm_plan_input *in, bool *want, const char **why);

const char *bm_action_name(enum bm_action action);

#endif
