/*
 * Carry out what the plan named. Each action says whether it changed something at once;
 * the others' results come back as a tick, or the next heartbeat tries again.
 */
#include "daemon/machine/internal.h"

#include <stdio.h>
#include <string.h>

#include "bucardo_machine/observer.h"
#include "bucardo_machine/clock.h"

/* Between two tries of an installation that failed. */
#define INSTALL_RETRY_MSEC 5000

static bool exit_machine(struct bm_machine *machine, const char *why)
{
	machine->stop.finished = true;
	bm_events_add(machine->events, BM_LOG_INFO, "machine", "leaving: %s", why);
	bm_loop_stop(machine->loop);
	return true;
}

static bool give_up(struct bm_machine *machine, const char *why)
{
	machine->exit_code = BM_EXIT_FAILED;
	bm_machine_stop(machine, why);
	return true;
}

/* What is tried again and again is told once a reason. */
static void record_failure(struct bm_machine *machine, char (*kept)[FAILURE_BYTES],
		const char *unit, const char *what, const struct bm_error *err)
{
	if (strcmp(*kept, err->message) != 0) {
		bm_text_copy(*kept, sizeof(*kept), err->message);
		bm_events_add(machine->events, BM_LOG_ERROR, unit, "%s, trying again: %s", what,
				*kept);
	}
}

/* `rc` of a clearing: 1 something is still ending, 0 clear, -1 with `err`. True when it is
 * clear now. */
static bool record_clearing(struct bm_machine *machine, const char *unit, int rc,
		const struct bm_error *err)
{
	if (rc >= 0) {
		machine->install.clear_error[0] = '\0';
	} else {
		record_failure(machine, &machine->install.clear_error, unit,
				"cannot clear what an earlier one left", err);
	}
	return rc == 0;
}

static bool clear_tree(struct bm_machine *machine, const char *why)
{
	struct bm_error err = BM_ERROR_INIT;
	int rc = bm_bucardo_clear_leftovers(machine->bucardo, &err);

	(void)why;
	machine->install.tree_clear = record_clearing(machine, "bucardo", rc, &err);
	return machine->install.tree_clear;
}

static bool clear_postmaster(struct bm_machine *machine, const char *why)
{
	struct bm_cluster_paths paths = bm_parts_cluster(machine);
	struct bm_error err = BM_ERROR_INIT;
	int rc = bm_cluster_clear_stale(&paths, &err);

	(void)why;
	machine->install.postmaster_clear = record_clearing(machine, "postgres", rc, &err);
	return machine->install.postmaster_clear;
}

static void on_cluster_created(void *ctx, const struct bm_error *err)
{
	struct bm_machine *machine = ctx;

	machine->cluster_init = NULL;
	if (err != NULL) {
		machine->install.cluster_retry_at_msec = bm_clock_msec() + INSTALL_RETRY_MSEC;
		record_failure(machine, &machine->install.cluster_error, "postgres",
				"cannot create the control cluster", err);
	} else {
		machine->install.cluster_error[0] = '\0';
		machine->volume.report.cluster = BM_CLUSTER_USABLE;
		bm_events_add(machine->events, BM_LOG_INFO, "postgres",
				"created the control cluster in '%s'", machine->paths.data_dir);
	}
	bm_machine_tick_soon(machine);
}

static bool create_cluster(struct bm_machine *machine, const char *why)
{
	struct bm_cluster_paths paths = bm_parts_cluster(machine);

	if (bm_clock_msec() < machine->install.cluster_retry_at_msec) {
		return false;
	}
	bm_log(BM_LOG_INFO, "machine", BM_FIELDS(bm_str("why", why)), "creating a cluster");
	machine->cluster_init = bm_cluster_create(
			machine->loop, &paths, on_cluster_created, machine);
	return false;
}

static void on_installed(void *ctx, const struct bm_error *err)
{
	struct bm_machine *machine = ctx;

	machine->install.installing = false;
	machine->install.installed = err == NULL;
	machine->install.is_older = err != NULL && err->code == BM_ERR_NEWER;
	if (err != NULL) {
		machine->install.retry_at_msec = bm_clock_msec() + INSTALL_RETRY_MSEC;
		record_failure(machine, &machine->install.error, "bucardo",
				machine->install.is_older
						? "it is not started"
						: "cannot install Bucardo into the control database",
				err);
	} else {
		machine->install.error[0] = '\0';
		machine->install.done_at_msec = bm_clock_msec();
	}
	bm_machine_tick_soon(machine);
}

static bool install(struct bm_machine *machine, const char *why)
{
	size_t count;
	const struct bm_step *check = bm_journal_check(&count);

	(void)why;
	machine->install.installing = true;
	bm_bucardo_install(
			machine->bucardo, machine->admin, check, count, on_installed, machine);
	return false;
}

static bool (*const actions[])(struct bm_machine *machine, const char *why) = {
		[BM_ACTION_EXIT] = exit_machine,
		[BM_ACTION_GIVE_UP] = give_up,
		[BM_ACTION_CLEAR_TREE] = clear_tree,
		[BM_ACTION_CREATE_CLUSTER] = create_cluster,
		[BM_ACTION_CLEAR_POSTMASTER] = clear_postmaster,
		[BM_ACTION_INSTALL] = install,
};

bool bm_act(struct bm_machine *machine, enum bm_action action, const char *why)
{
	if (action == BM_ACTION_WAIT) {
		return false;
	}
	bm_log(BM_LOG_DEBUG, "machine",
			BM_FIELDS(bm_str("event", bm_action_name(action)), bm_str("why", why)),
			"next step");
	return actions[action](machine, why);
}

/* bm_conn_open() and bm_conn_close() may be repeated: they only say what is wanted. */
static void keep_open(struct bm_conn *conn, bool wanted)
{
	if (wanted) {
		bm_conn_open(conn);
	} else {
		bm_conn_close(conn);
	}
}

void bm_act_follow(struct bm_machine *machine)
{
	enum bm_unit_state state = bm_unit_state(machine->units.postgres->unit);
	bool is_running = state == BM_UNIT_STARTING || state == BM_UNIT_READY;
	bool needs_admin = !machine->install.installed ||
			(state == BM_UNIT_STARTING && !bm_conn_is_up(machine->control));

	keep_open(machine->admin, is_running && needs_admin);
	keep_open(machine->control, is_running && machine->install.installed);
	bm_migrate_allow(machine->migrate,
			state == BM_UNIT_READY && machine->install.installed &&
					bm_conn_is_up(machine->control) &&
					!machine->stop.asked);
	if (machine->stop.asked) {
		bm_migrate_stop(machine->migrate);
	}
	if (state == BM_UNIT_READY && machine->install.installed && !machine->stop.asked) {
		bm_observer_start(machine->observer);
	} else {
		bm_observer_stop(machine->observer);
	}
}
