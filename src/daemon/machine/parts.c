/* The parts of the machine: units in their order, connections, the observer. */
#include "daemon/machine/internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/observer.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/sessions.h"
#include "daemon/workers/notify_unit.h"

/*
 * How the stop deadline (default 25 s) is shared out when everything resists:
 * Bucardo 30 % gently and 10 % firmly, postgres 40 % and 10 %, the rest is for
 * extra units and the last KILL.
 */
static uint64_t share(const struct bm_config *config, unsigned percent)
{
	return config->stop_deadline_msec * percent / 100;
}

/* Crash recovery of the control cluster (max_wal_size is small) fits with room; while it works
 * (probes.c) it has more. */
#define POSTGRES_START_MSEC 120000
#define BUCARDO_START_MSEC 30000

/* The last resort, for what works and works and never gets ready. */
#define START_LIMIT_MSEC (30 * 60 * 1000)

static struct bm_unit_policy base_policy(const struct bm_config *config)
{
	return (struct bm_unit_policy){
			.backoff_first_msec = config->backoff_first_msec,
			.backoff_limit_msec = config->backoff_limit_msec,
			.stable_after_msec = config->stable_after_msec,
			.give_up_after = config->give_up_after,
	};
}

static struct bm_unit_policy postgres_policy(const struct bm_config *config)
{
	struct bm_unit_policy policy = base_policy(config);

	policy.start_timeout_msec = POSTGRES_START_MSEC;
	policy.start_limit_msec = START_LIMIT_MSEC;
	policy.stop_gently_msec = share(config, 40);
	policy.stop_firmly_msec = share(config, 10);
	return policy;
}

static struct bm_unit_policy bucardo_policy(const struct bm_config *config)
{
	struct bm_unit_policy policy = base_policy(config);

	policy.start_timeout_msec = BUCARDO_START_MSEC;
	policy.start_limit_msec = START_LIMIT_MSEC;
	policy.stop_gently_msec = share(config, 30);
	policy.stop_firmly_msec = share(config, 10);
	return policy;
}

static struct bm_unit_policy extra_policy(
		const struct bm_config *config, const struct bm_config_unit *unit)
{
	struct bm_unit_policy policy = base_policy(config);

	policy.start_timeout_msec = unit->ready_timeout_msec;
	policy.stop_gently_msec = unit->stop_timeout_msec;
	policy.stop_firmly_msec = unit->stop_timeout_msec;
	return policy;
}

static void grow_lists(struct bm_machine *machine, size_t count)
{
	machine->units.slots = bm_realloc(
			machine->units.slots, count, sizeof(*machine->units.slots));
	machine->units.plan = bm_realloc(
			machine->units.plan, count, sizeof(*machine->units.plan));
	machine->units.wants = bm_realloc(
			machine->units.wants, count, sizeof(*machine->units.wants));
}

static struct slot *add_slot(struct bm_machine *machine, enum bm_role role, const char *name)
{
	struct slot *slot = bm_alloc(sizeof(*slot));

	slot->role = role;
	slot->name = bm_strdup(name);
	slot->machine = machine;
	bm_stop_load(machine->paths.volume, name, &slot->stop);
	if (slot->stop.stopped) {
		bm_events_add(machine->events, BM_LOG_WARN, name, "stays stopped, by %s",
				slot->stop.by);
	}
	grow_lists(machine, machine->units.count + 1);
	/* Clients are first, extras stand before postgres, the last two places are fixed. */
	size_t place = role == BM_ROLE_CLIENT ? 0
			: role == BM_ROLE_EXTRA && machine->units.postgres != NULL
			? machine->units.count - 2
			: machine->units.count;
	memmove(&machine->units.slots[place + 1], &machine->units.slots[place],
			(machine->units.count - place) * sizeof(slot));
	machine->units.slots[place] = slot;
	machine->units.count++;
	return slot;
}

static void record_change(struct bm_machine *machine, struct bm_unit *unit)
{
	struct bm_unit_view view = bm_unit_view(unit);
	enum bm_log_level level = view.state == BM_UNIT_BACKOFF || view.state == BM_UNIT_FAILED
			? BM_LOG_WARN
			: BM_LOG_INFO;

	const char *state = bm_unit_state_name(view.state);
	bool says_more = strcmp(state, view.why) != 0;
	bm_events_record(machine->events, level, view.name, "is %s%s%s", state,
			says_more ? ": " : "", says_more ? view.why : "");
	bm_machine_tick_soon(machine);
}

static void on_program_changed(void *ctx, struct bm_unit *unit)
{
	struct slot *slot = ctx;
	enum bm_unit_state state = bm_unit_state(unit);

	if (slot->role == BM_ROLE_POSTGRES &&
			(state == BM_UNIT_BACKOFF || state == BM_UNIT_DOWN)) {
		slot->machine->install.postmaster_clear = false;
	}
	if (!bm_unit_state_is_up(state) && strcmp(slot->name, BM_NOTIFY_UNIT) == 0) {
		bm_receivers_forget(slot->machine);
	}
	record_change(slot->machine, unit);
}

static void on_bucardo_changed(void *ctx, struct bm_unit *unit)
{
	struct bm_machine *machine = ctx;
	struct bm_unit_view view = bm_unit_view(unit);

	bm_restarts_see(&machine->restarts, &view, bm_clock_msec());
	if (bm_unit_state_is_up(view.state)) {
		machine->install.tree_ran = true;
	} else if (machine->install.tree_ran) {
		/* What only waits for its start leaves nothing behind. */
		machine->install.tree_ran = machine->install.tree_clear = false;
	}
	record_change(machine, unit);
}

struct slot *bm_parts_add_program(struct bm_machine *machine, enum bm_role role,
		const struct bm_program_spec *spec, const struct bm_unit_policy *policy)
{
	struct slot *slot = add_slot(machine, role, spec->name);

	slot->program = bm_program_create(
			machine->loop, spec, policy, on_program_changed, slot);
	slot->unit = bm_program_unit(slot->program);
	return slot;
}

void bm_parts_add_extra(struct bm_machine *machine, const struct bm_config_unit *unit)
{
	struct bm_unit_policy policy = extra_policy(machine->settings.config, unit);
	struct bm_program_spec spec = {
			.name = unit->name,
			.argv = unit->command,
			.env = unit->env,
			.cwd = unit->cwd,
			.gentle_signal = SIGTERM,
			.firm_signal = SIGTERM,
			.probe = unit->ready_tcp != NULL	   ? BM_PROBE_TCP
					: unit->ready_exec != NULL ? BM_PROBE_EXEC
								   : BM_PROBE_NONE,
			.probe_tcp = unit->ready_tcp,
			.probe_argv = unit->ready_exec,
			.probe_interval_msec = 500,
	};

	bm_parts_add_program(machine, BM_ROLE_EXTRA, &spec, &policy);
}

struct bm_cluster_paths bm_parts_cluster(const struct bm_machine *machine)
{
	return (struct bm_cluster_paths){
			.data_dir = machine->paths.data_dir,
			.socket_dir = machine->paths.plain_runtime,
			.bin_dir = machine->paths.bin_dir,
	};
}

static void add_postgres(struct bm_machine *machine)
{
	struct bm_cluster_paths paths = bm_parts_cluster(machine);
	struct bm_unit_policy policy = postgres_policy(machine->settings.config);
	char **argv = bm_cluster_argv(&paths, machine->settings.config->postgres_settings);
	char *pgpass = bm_format("PGPASSFILE=%s", machine->paths.pgpass);
	char *home = bm_format("HOME=%s", machine->paths.home);
	/* Bucardo's functions connect to the databases from inside its sessions. */
	struct bm_strbuf options = BM_STRBUF_INIT;
	bm_strbuf_puts(&options, "PGOPTIONS=");
	bm_session_options(BM_SESSION_BUCARDO, &options);
	struct bm_program_spec spec = {
			.name = "postgres",
			.argv = (const char *const *)argv,
			.env = (const char *const[]){pgpass, home, bm_strbuf_text(&options),
					NULL},
			.gentle_signal = SIGINT,
			.firm_signal = SIGQUIT,
			.death_signal = SIGQUIT,
			.probe = BM_PROBE_CALLBACK,
	};

	machine->units.postgres = bm_parts_add_program(
			machine, BM_ROLE_POSTGRES, &spec, &policy);
	bm_strbuf_finish(&options);
	free(home);
	free(pgpass);
	bm_cluster_argv_free(argv);
}

/* ---- connections to the control database ---- */

static void on_admin_event(void *ctx, enum bm_conn_event event, const char *text)
{
	struct bm_machine *machine = ctx;

	(void)text;
	if (event == BM_CONN_UP) {
		bm_probe_now(machine, machine->admin);
	}
}

static void on_control_event(void *ctx, enum bm_conn_event event, const char *text)
{
	struct bm_machine *machine = ctx;

	if (event == BM_CONN_NOTICE) {
		bm_bucardo_notice(machine->bucardo, text);
		return;
	}
	if (event == BM_CONN_UP) {
		bm_probe_now(machine, machine->control);
		bm_event_store_use(machine->event_store, machine->control);
	}
	bm_machine_tick_soon(machine);
}

/* Who knocks while it starts or recovers gets a FATAL into the log that frightens for nothing.
 */
static bool lets_in(void *ctx)
{
	struct bm_cluster_paths paths = bm_parts_cluster(ctx);

	return bm_cluster_lets_in(&paths);
}

static struct bm_conn *make_conn(struct bm_machine *machine, const char *dbname,
		const char *user, const char *const *listen, bm_conn_cb *cb)
{
	struct bm_conn_options options = {
			.socket_dir = machine->paths.plain_runtime,
			.dbname = dbname,
			.user = user,
			.application_name = "bucardo-machine",
			.listen = listen,
			.lets_in = lets_in,
			.connect_timeout_msec = 5000,
			.retry_msec = 50,
			.query_timeout_msec = 10000,
	};

	return bm_conn_create(machine->loop, &options, cb, machine);
}

/* ---- Bucardo ---- */

static void on_bucardo_event(void *ctx, enum bm_bucardo_event event, const char *text)
{
	struct bm_machine *machine = ctx;
	struct slot *slot = machine->units.bucardo;
	struct bm_error err = BM_ERROR_INIT;
	char by[300];
	int rc = 0;

	switch (event) {
	case BM_BUCARDO_OPERATOR_STOPPED:
		snprintf(by, sizeof(by), "bucardo stop%s%s", text[0] != '\0' ? ": " : "", text);
		rc = bm_stop_store(machine->paths.volume, slot->name, by, &slot->stop, &err);
		if (rc != 0) { /* it has happened already: respected until we end */
			slot->stop.stopped = true;
			slot->stop.at = bm_clock_wall_msec();
			bm_text_copy(slot->stop.by, sizeof(slot->stop.by), by);
		}
		bm_events_add(machine->events, BM_LOG_WARN, "bucardo",
				"was stopped by a person (%s) and stays stopped", by);
		break;
	case BM_BUCARDO_OPERATOR_STARTED:
		rc = bm_stop_remove(machine->paths.volume, slot->name, &slot->stop, &err);
		bm_events_add(machine->events, BM_LOG_INFO, "bucardo",
				"was started by a person, adopted");
		break;
	case BM_BUCARDO_RESTART_POSTGRES:
		bm_parts_restart(machine->units.postgres, text);
		break;
	case BM_BUCARDO_HOLD:
		bm_events_add(machine->events, BM_LOG_ERROR, "bucardo", "holding: %s", text);
		break;
	case BM_BUCARDO_NO_SESSION:
		bm_observer_renew(machine->observer);
		break;
	case BM_BUCARDO_NOTE:
		bm_events_add(machine->events, BM_LOG_INFO, "bucardo", "%s", text);
		break;
	}
	if (rc != 0) {
		bm_events_add(machine->events, BM_LOG_ERROR, "bucardo", "%s", err.message);
	}
	bm_machine_tick_soon(machine);
}

struct bm_bucardo_options bm_parts_bucardo_options(const struct bm_machine *machine)
{
	const struct bm_config *config = machine->settings.config;

	return (struct bm_bucardo_options){
			.home_dir = machine->paths.home,
			.runtime_dir = machine->paths.runtime,
			.socket_dir = machine->paths.plain_runtime,
			.bin_dir = machine->paths.bin_dir,
			.pgpass = machine->paths.pgpass,
			.stalled_after_msec = config->stalled_after_msec,
			.checktime_msec = config->checktime_msec,
			.syncrun_keep_rows = config->syncrun_keep_rows,
			.escalation = config->escalation,
	};
}

static void add_bucardo(struct bm_machine *machine)
{
	struct bm_bucardo_options options = bm_parts_bucardo_options(machine);
	struct bm_unit_policy policy = bucardo_policy(machine->settings.config);
	struct slot *slot = add_slot(machine, BM_ROLE_BUCARDO, "bucardo");

	machine->units.bucardo = slot;
	machine->bucardo = bm_bucardo_create(machine->loop, &options, &policy, machine->control,
			on_bucardo_changed, on_bucardo_event, machine);
	slot->unit = bm_bucardo_unit(machine->bucardo);
}

/* The folder showed a cluster; what it holds is known now. */
static void record_found(struct bm_machine *machine, const struct bm_observation *observation)
{
	size_t used = strlen(machine->volume.found), count = observation->sync_count,
	       active = 0;

	if (strcmp(machine->volume.found, "a control cluster") != 0) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		active += observation->syncs[i].active;
	}
	if (count == 0) {
		bm_text_copy(machine->volume.found + used, sizeof(machine->volume.found) - used,
				" without a sync");
	} else {
		snprintf(machine->volume.found + used, sizeof(machine->volume.found) - used,
				" with %zu sync%s, %zu active", count, count > 1 ? "s" : "",
				active);
	}
	bm_events_add(machine->events, BM_LOG_INFO, "volume", "it is %s",
			machine->volume.found);
}

static void on_sample(void *ctx, const struct bm_observation *observation)
{
	struct bm_machine *machine = ctx;

	if (!machine->view.sample_seen) {
		record_found(machine, observation);
	}
	machine->view.sample_seen = true;
	bm_bucardo_set_stopped(machine->bucardo, machine->units.bucardo->stop.stopped);
	bm_bucardo_observe(machine->bucardo, observation);
	bm_migrations_reconcile(machine);
	bm_databases_keep(machine, observation);
	bm_machine_tick_soon(machine);
}

static void on_observer_down(void *ctx, const char *why)
{
	struct bm_machine *machine = ctx;

	bm_events_add(machine->events, BM_LOG_WARN, "observe", "%s", why);
}

static void create_observer(struct bm_machine *machine)
{
	struct bm_observer_options options = {
			.program = "/proc/self/exe",
			.socket_dir = machine->paths.plain_runtime,
			.pgpass = machine->paths.pgpass,
			.interval_msec = machine->settings.config->observe_interval_msec,
			.timeout_msec = 5000,
	};

	machine->observer = bm_observer_create(
			machine->loop, &options, on_sample, on_observer_down, machine);
}

/* ---- all together ---- */

void bm_parts_create(struct bm_machine *machine)
{
	bm_parts_add_clients(machine);
	for (size_t i = 0; i < machine->settings.config->unit_count; i++) {
		bm_parts_add_extra(machine, &machine->settings.config->units[i]);
	}
	add_postgres(machine);
	machine->admin = make_conn(machine, "postgres", "postgres", NULL, on_admin_event);
	machine->control = make_conn(
			machine, "bucardo", "bucardo", bm_bucardo_channels, on_control_event);
	add_bucardo(machine);
	create_observer(machine);
	bm_migrations_create(machine);
}

static void free_member(struct slot *slot)
{
	bm_program_close(slot->program);
	free(slot->name);
	free(slot);
}

void bm_parts_destroy(struct bm_machine *machine)
{
	bm_migrate_destroy(machine->migrate);
	bm_observer_destroy(machine->observer);
	bm_cluster_create_cancel(machine->cluster_init);
	bm_bucardo_close(machine->bucardo);
	bm_conn_destroy(machine->admin);
	bm_conn_destroy(machine->control);
	for (size_t i = 0; i < machine->units.count; i++) {
		free_member(machine->units.slots[i]);
	}
	free(machine->units.slots);
	free(machine->units.plan);
	free(machine->units.wants);
}

struct slot *bm_parts_find(struct bm_machine *machine, const char *name)
{
	for (size_t i = 0; i < machine->units.count; i++) {
		if (!machine->units.slots[i]->retired &&
				strcmp(machine->units.slots[i]->name, name) == 0) {
			return machine->units.slots[i];
		}
	}
	return NULL;
}

pid_t bm_parts_pid(const struct slot *slot)
{
	return slot->program != NULL ? bm_program_pid(slot->program)
				     : bm_bucardo_mcp_pid(slot->machine->bucardo);
}

void bm_parts_restart(struct slot *slot, const char *why)
{
	bm_events_add(slot->machine->events, BM_LOG_INFO, slot->name, "restarting: %s", why);
	/* Others depend on postgres only; the plan takes them down first. */
	if (slot->role == BM_ROLE_POSTGRES && bm_unit_state(slot->unit) == BM_UNIT_READY) {
		slot->restarting = true;
		bm_machine_tick_soon(slot->machine);
	} else {
		bm_unit_restart(slot->unit, why);
	}
}

void bm_parts_sweep(struct bm_machine *machine)
{
	for (size_t i = 0; i < machine->units.count; i++) {
		struct slot *slot = machine->units.slots[i];
		if (!slot->retired || bm_unit_state(slot->unit) != BM_UNIT_DOWN) {
			continue;
		}
		machine->units.count--;
		memmove(&machine->units.slots[i], &machine->units.slots[i + 1],
				(machine->units.count - i) * sizeof(slot));
		free_member(slot);
		i--;
	}
}
