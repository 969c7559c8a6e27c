/*
 * The machine: owns its parts and runs the tick. A tick looks, asks the plan for
 * wants and the next action, carries both out, and repeats while that changed
 * something; then it evaluates the whole and arms the heartbeat.
 */
#include "daemon/machine/internal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/spawn.h"

/* Heartbeats: while something moves, while something is wrong, at rest. */
#define HEARTBEAT_BUSY_MSEC 50
#define HEARTBEAT_UNEASY_MSEC 1000
#define HEARTBEAT_REST_MSEC 5000

/* More rounds than any chain of actions has; a loop in the plan must not stop PID 1. */
#define TICK_ROUNDS 16

/* A worker that never says anything must not keep Bucardo down for ever. */
#define SAMPLE_PATIENCE_MSEC 15000

/* How often the log names who holds a stop up. */
#define STOP_TELL_MSEC 5000

/* After the deadline, for the last KILL to work. What survives it (a process in an
 * uninterruptible wait, one of another user) must not keep PID 1 for ever. */
#define STOP_GRACE_MSEC 2000

/* A stop before any configuration was read. */
#define STOP_DEADLINE_MSEC 25000

static bool is_up(const struct slot *slot)
{
	return bm_unit_state_is_up(bm_unit_state(slot->unit));
}

/* ---- observe ---- */

static bool is_in_reach(struct bm_machine *machine)
{
	bm_strbuf_clear(&machine->unreachable);
	if (!machine->view.sample_seen) {
		return machine->install.installed &&
				bm_clock_msec() - machine->install.done_at_msec >
				SAMPLE_PATIENCE_MSEC;
	}
	return bm_bucardo_can_start(machine->bucardo, &machine->unreachable);
}

static struct bm_plan_input observe(struct bm_machine *machine)
{
	for (size_t i = 0; i < machine->units.count; i++) {
		struct slot *slot = machine->units.slots[i];
		slot->restarting = slot->restarting && is_up(slot);
		machine->units.plan[i] = (struct bm_plan_unit){
				.role = slot->role,
				.state = bm_unit_state(slot->unit),
				.stopped = slot->stop.stopped || slot->restarting,
				.retired = slot->retired,
		};
	}
	return (struct bm_plan_input){
			.stopping = machine->stop.asked,
			.holding = machine->volume.hold.active,
			.cluster = machine->volume.report.cluster,
			.creating_cluster = machine->cluster_init != NULL,
			.postmaster_clear = machine->install.postmaster_clear,
			.tree_clear = machine->install.tree_clear,
			.installing = machine->install.installing,
			.installed = machine->install.installed,
			.install_may_retry = bm_clock_msec() >=
							machine->install.retry_at_msec &&
					bm_conn_is_up(machine->admin),
			.databases_in_reach = is_in_reach(machine),
			.unit_count = machine->units.count,
			.units = machine->units.plan,
	};
}

/* ---- one round ---- */

static void apply_wants(struct bm_machine *machine)
{
	for (size_t i = 0; i < machine->units.count; i++) {
		bm_unit_want(machine->units.slots[i]->unit, machine->units.wants[i]);
	}
}

/* Said goodbye before it is told to end: its log has no sessions that were terminated. */
static void leave_postgres(struct bm_machine *machine)
{
	for (size_t i = 0; i < machine->units.count; i++) {
		if (machine->units.slots[i] == machine->units.postgres &&
				!machine->units.wants[i]) {
			bm_conn_close(machine->admin);
			bm_conn_close(machine->control);
		}
	}
}

/* True when the action changed something at once: another round makes sense. */
static bool run_round(struct bm_machine *machine, enum bm_action *action)
{
	struct bm_plan_input in = observe(machine);
	const char *why;

	*action = bm_plan(&in, machine->units.wants, &why);
	leave_postgres(machine);
	apply_wants(machine);
	bool changed = bm_act(machine, *action, why);
	bm_act_follow(machine);
	bm_parts_sweep(machine);
	return changed;
}

/* The volume is only questioned while the control cluster is down. */
static void check_volume(struct bm_machine *machine)
{
	bool is_busy = machine->units.postgres != NULL &&
			(is_up(machine->units.postgres) || machine->cluster_init != NULL);

	if (machine->stop.asked || is_busy) {
		return;
	}
	bm_hold_check(machine);
	if (machine->volume.hold.active && machine->settings.strict) {
		machine->exit_code = BM_EXIT_UNUSABLE;
		bm_machine_stop(machine, machine->volume.hold.why);
	}
	if (machine->settings.config != NULL && machine->units.count == 0) {
		bm_parts_create(machine);
	}
}

static uint64_t heartbeat_msec(const struct bm_machine *machine, enum bm_action last)
{
	bool is_clearing = last == BM_ACTION_CLEAR_TREE || last == BM_ACTION_CLEAR_POSTMASTER;

	if (machine->stop.asked || (is_clearing && machine->install.clear_error[0] == '\0')) {
		return HEARTBEAT_BUSY_MSEC;
	}
	return machine->health.state == BM_MACHINE_READY ? HEARTBEAT_REST_MSEC
							 : HEARTBEAT_UNEASY_MSEC;
}

/* Never later than it was: with many migrations there is a tick every few milliseconds, and a
 * heartbeat that each of them puts off would never come. */
static void arm_heartbeat(struct bm_machine *machine, uint64_t msec)
{
	if (!bm_timer_is_armed(machine->tick.heartbeat) ||
			host_expected_in(&machine->host) > msec) {
		host_expect(&machine->host, msec);
		bm_timer_arm(machine->tick.heartbeat, msec);
	}
}

static void end_run(struct bm_machine *machine)
{
	machine->stop.finished = true;
	bm_loop_stop(machine->loop);
}

static void tick(struct bm_machine *machine)
{
	enum bm_action action = BM_ACTION_WAIT;

	check_volume(machine);
	for (int round = 0; round < TICK_ROUNDS && !machine->stop.finished; round++) {
		bool changed = false;
		machine->tick.again = false;
		if (machine->units.count > 0) {
			changed = run_round(machine, &action);
		} else if (machine->stop.asked) {
			end_run(machine);
		}
		if (!machine->tick.again && !changed) {
			break;
		}
	}
	bm_settings_open(machine);
	bm_evaluate(machine);
	arm_heartbeat(machine, heartbeat_msec(machine, action));
}

static void on_deferred_tick(void *ctx)
{
	struct bm_machine *machine = ctx;

	machine->tick.deferred = false;
	if (!machine->stop.finished) {
		machine->tick.is_running = true;
		tick(machine);
		machine->tick.is_running = false;
	}
}

void bm_machine_tick_soon(struct bm_machine *machine)
{
	if (machine->tick.is_running) {
		machine->tick.again = true;
	} else if (!machine->tick.deferred) {
		machine->tick.deferred = true;
		bm_loop_defer(machine->loop, on_deferred_tick, machine);
	}
}

/* ---- what only time brings ---- */

/* Those asked to stop; the others wait for them. */
static void name_who_holds_up(struct bm_machine *machine, const char *text)
{
	for (size_t i = 0; i < machine->units.count; i++) {
		const struct slot *slot = machine->units.slots[i];
		if (bm_unit_state(slot->unit) == BM_UNIT_STOPPING) {
			bm_events_add(machine->events, BM_LOG_WARN, slot->name, "%s (pid %d)",
					text, (int)bm_parts_pid(slot));
		}
	}
}

static void leave_without_the_rest(struct bm_machine *machine)
{
	name_who_holds_up(machine, "could not be ended, leaving without it");
	bm_events_add(machine->events, BM_LOG_ERROR, "machine",
			"leaving: the deadline of the stop is over");
	end_run(machine);
}

/* Past the deadline every heartbeat is one more push: firmly, then KILL. */
static void push_stop(struct bm_machine *machine)
{
	uint64_t now = bm_clock_msec();

	if (now - machine->stop.reported_msec >= STOP_TELL_MSEC) {
		machine->stop.reported_msec = now;
		name_who_holds_up(machine, "is what the stop waits for");
	}
	if (now < machine->stop.deadline_msec) {
		return;
	}
	machine->exit_code = machine->exit_code == BM_EXIT_OK ? BM_EXIT_FAILED
							      : machine->exit_code;
	if (now >= machine->stop.deadline_msec + STOP_GRACE_MSEC) {
		leave_without_the_rest(machine);
		return;
	}
	for (size_t i = 0; i < machine->units.count; i++) {
		if (is_up(machine->units.slots[i])) {
			bm_unit_handle(machine->units.slots[i]->unit, BM_UNIT_TIMED_OUT);
		}
	}
}

/*
 * A postmaster in state T serves the connections there are, so the probe is content,
 * and lets no new one in: the next process of Bucardo would wait for ever. Going on
 * is all it needs.
 */
static void wake_postmaster(struct bm_machine *machine)
{
	struct bm_process process;
	pid_t pid = machine->units.postgres != NULL ? bm_parts_pid(machine->units.postgres) : 0;

	if (pid <= 0 || bm_process_read(pid, &process, NULL) != 0 || process.state != 'T') {
		return;
	}
	bm_events_add(machine->events, BM_LOG_WARN, "postgres",
			"the postmaster (pid %d) was stopped by a signal and lets nobody in; "
			"waking it with SIGCONT",
			(int)pid);
	bm_process_signal(pid, process.start_time, SIGCONT, NULL);
}

static void look_at_host(struct bm_machine *machine)
{
	host_woke(&machine->host);
	if (host_sample(&machine->host)) {
		bm_events_add(machine->events, BM_LOG_INFO, "host", "%s",
				machine->host.load.slow ? machine->host.text
							: "the host is no longer slow");
	}
	if (machine->bucardo != NULL) {
		bm_bucardo_set_slowness(machine->bucardo, machine->host.slowness);
	}
}

static void on_heartbeat(void *ctx)
{
	struct bm_machine *machine = ctx;

	look_at_host(machine);
	if (machine->stop.asked) {
		push_stop(machine);
	} else {
		wake_postmaster(machine);
		bm_probe_control(machine);
		bm_settings_refresh_pgpass(machine);
	}
	on_deferred_tick(machine);
}

/* ---- life ---- */

static void fill_paths(struct paths *paths, const struct bm_machine_options *options)
{
	paths->volume = bm_strdup(options->volume);
	paths->runtime = bm_strdup(options->runtime);
	paths->pgpass_secret = bm_strdup(options->pgpass);
	if (bm_cluster_find(paths->bin_dir, sizeof(paths->bin_dir), &paths->major, NULL) != 0) {
		paths->major = 0;
	}
	paths->data_dir = bm_format("%s/postgres/%u", options->volume, paths->major);
	paths->home = bm_format("%s/home", options->volume);
	paths->config = bm_format("%s/machine.yaml", options->volume);
	paths->example = bm_format("%s/machine.yaml.example", options->volume);
	paths->pgpass = bm_format("%s/pgpass", options->runtime);
	paths->http_listen = bm_strdup(options->http_listen);
	paths->plain_runtime = paths->runtime;
	paths->runtime_fd = -1;
}

static void free_paths(struct paths *paths)
{
	char *all[] = {paths->volume, paths->runtime, paths->pgpass_secret, paths->data_dir,
			paths->home, paths->config, paths->example, paths->pgpass,
			paths->http_listen};

	for (size_t i = 0; i < BM_COUNT_OF(all); i++) {
		free(all[i]);
	}
	if (paths->runtime_fd >= 0) {
		close(paths->runtime_fd);
	}
}

struct bm_machine *bm_machine_create(
		struct bm_loop *loop, const struct bm_machine_options *options)
{
	struct bm_machine *machine = bm_alloc(sizeof(*machine));

	machine->loop = loop;
	machine->settings.strict = options->strict;
	machine->settings.keep_log_format = options->keep_log_format;
	machine->settings.keep_log_level = options->keep_log_level;
	machine->events = bm_events_create();
	machine->started_at = bm_clock_wall_msec();
	machine->health.since_msec = bm_clock_msec();
	machine->settings.state = "unread";
	machine->volume.lock_fd = -1;
	machine->tick.heartbeat = bm_timer_create(loop, on_heartbeat, machine);
	machine->event_store = bm_event_store_create(loop, machine->events, options->volume);
	fill_paths(&machine->paths, options);
	return machine;
}

void bm_machine_start(struct bm_machine *machine)
{
	bm_events_add(machine->events, BM_LOG_INFO, "machine",
			"bucardo-machine " BM_VERSION " starts on volume '%s'",
			machine->paths.volume);
	bm_machine_tick_soon(machine);
}

void bm_machine_stop(struct bm_machine *machine, const char *why)
{
	uint64_t now = bm_clock_msec();

	if (machine->stop.asked) {
		return;
	}
	machine->stop.asked = true;
	machine->stop.reported_msec = now;
	machine->stop.deadline_msec = now +
			(machine->settings.config != NULL ? machine->settings.config
									    ->stop_deadline_msec
							  : STOP_DEADLINE_MSEC);
	bm_text_copy(machine->stop.why, sizeof(machine->stop.why), why);
	bm_events_add(machine->events, BM_LOG_INFO, "machine", "stopping: %s", why);
	bm_cluster_create_cancel(machine->cluster_init);
	machine->cluster_init = NULL;
	bm_machine_tick_soon(machine);
}

int bm_machine_exit_code(const struct bm_machine *machine)
{
	return machine->exit_code;
}

void bm_machine_destroy(struct bm_machine *machine)
{
	if (machine == NULL) {
		return;
	}
	bm_settings_close(machine);
	bm_parts_destroy(machine);
	bm_databases_finish(machine);
	bm_timer_close(machine->tick.heartbeat);
	bm_config_destroy(machine->settings.config);
	if (machine->volume.lock_fd >= 0 && !machine->volume.hold.active) {
		bm_event_store_finish(machine->event_store);
	}
	bm_event_store_destroy(machine->event_store);
	bm_events_destroy(machine->events);
	host_finish(&machine->host);
	bm_strbuf_finish(&machine->settings.errors);
	bm_strbuf_finish(&machine->settings.pgpass_warnings);
	bm_strbuf_finish(&machine->unreachable);
	if (machine->volume.lock_fd >= 0) {
		close(machine->volume.lock_fd);
	}
	free_paths(&machine->paths);
	free(machine);
}
