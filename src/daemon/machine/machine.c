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

static bool is_up(const struct member *member)
{
	return bm_unit_state_is_up(bm_unit_state(member->unit));
}

/* ---- observe ---- */

static bool is_in_reach(struct bm_machine *machine)
{
	bm_strbuf_clear(&machine->unreachable);
	if (!machine->sample_seen) {
		return machine->installed &&
				bm_clock_msec() - machine->installed_at_msec >
				SAMPLE_PATIENCE_MSEC;
	}
	return bm_bucardo_can_start(machine->bucardo, &machine->unreachable);
}

static struct bm_plan_input observe(struct bm_machine *machine)
{
	for (size_t i = 0; i < machine->member_count; i++) {
		struct member *member = machine->members[i];
		member->restarting = member->restarting && is_up(member);
		machine->plan_units[i] = (struct bm_plan_unit){
				.role = member->role,
				.state = bm_unit_state(member->unit),
				.stopped = member->stop.stopped || member->restarting,
				.retired = member->retired,
		};
	}
	return (struct bm_plan_input){
			.stopping = machine->stopping,
			.holding = machine->hold.active,
			.cluster = machine->volume.cluster,
			.creating_cluster = machine->cluster_init != NULL,
			.postmaster_clear = machine->postmaster_clear,
			.tree_clear = machine->tree_clear,
			.installing = machine->installing,
			.installed = machine->installed,
			.install_may_retry = bm_clock_msec() >=
							machine->install_retry_at_msec &&
					bm_conn_is_up(machine->admin),
			.databases_in_reach = is_in_reach(machine),
			.unit_count = machine->member_count,
			.units = machine->plan_units,
	};
}

/* ---- one round ---- */

static void apply_wants(struct bm_machine *machine)
{
	for (size_t i = 0; i < machine->member_count; i++) {
		bm_unit_want(machine->members[i]->unit, machine->wants[i]);
	}
}

/* Said goodbye before it is told to end: its log has no sessions that were terminated. */
static void leave_postgres(struct bm_machine *machine)
{
	for (size_t i = 0; i < machine->member_count; i++) {
		if (machine->members[i] == machine->postgres && !machine->wants[i]) {
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

	*action = bm_plan(&in, machine->wants, &why);
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
	bool is_busy = machine->postgres != NULL &&
			(is_up(machine->postgres) || machine->cluster_init != NULL);

	if (machine->stopping || is_busy) {
		return;
	}
	bm_hold_check(machine);
	if (machine->hold.active && machine->strict) {
		machine->exit_code = BM_EXIT_UNUSABLE;
		bm_machine_stop(machine, machine->hold.why);
	}
	if (machine->config != NULL && machine->member_count == 0) {
		bm_parts_create(machine);
	}
}

static uint64_t heartbeat_msec(const struct bm_machine *machine, enum bm_action last)
{
	bool is_clearing = last == BM_ACTION_CLEAR_TREE || last == BM_ACTION_CLEAR_POSTMASTER;

	if (machine->stopping || (is_clearing && machine->clear_error[0] == '\0')) {
		return HEARTBEAT_BUSY_MSEC;
	}
	return machine->state == BM_MACHINE_READY ? HEARTBEAT_REST_MSEC : HEARTBEAT_UNEASY_MSEC;
}

/* Never later than it was: with many migrations there is a tick every few milliseconds, and a
 * heartbeat that each of them puts off would never come. */
static void arm_heartbeat(struct bm_machine *machine, uint64_t msec)
{
	if (!bm_timer_is_armed(machine->heartbeat) || host_expected_in(&machine->host) > msec) {
		host_expect(&machine->host, msec);
		bm_timer_arm(machine->heartbeat, msec);
	}
}

static void end_run(struct bm_machine *machine)
{
	machine->finished = true;
	bm_loop_stop(machine->loop);
}

static void tick(struct bm_machine *machine)
{
	enum bm_action action = BM_ACTION_WAIT;

	check_volume(machine);
	for (int round = 0; round < TICK_ROUNDS && !machine->finished; round++) {
		bool changed = false;
		machine->tick_again = false;
		if (machine->member_count > 0) {
			changed = run_round(machine, &action);
		} else if (machine->stopping) {
			end_run(machine);
		}
		if (!machine->tick_again && !changed) {
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

	machine->tick_deferred = false;
	if (!machine->finished) {
		machine->in_tick = true;
		tick(machine);
		machine->in_tick = false;
	}
}

void bm_machine_tick_soon(struct bm_machine *machine)
{
	if (machine->in_tick) {
		machine->tick_again = true;
	} else if (!machine->tick_deferred) {
		machine->tick_deferred = true;
		bm_loop_defer(machine->loop, on_deferred_tick, machine);
	}
}

/* ---- what only time brings ---- */

/* Those asked to stop; the others wait for them. */
static void name_who_holds_up(struct bm_machine *machine, const char *text)
{
	for (size_t i = 0; i < machine->member_count; i++) {
		const struct member *member = machine->members[i];
		if (bm_unit_state(member->unit) == BM_UNIT_STOPPING) {
			bm_events_add(machine->events, BM_LOG_WARN, member->name, "%s (pid %d)",
					text, (int)bm_parts_pid(member));
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

	if (now - machine->stop_reported_msec >= STOP_TELL_MSEC) {
		machine->stop_reported_msec = now;
		name_who_holds_up(machine, "is what the stop waits for");
	}
	if (now < machine->stop_deadline_msec) {
		return;
	}
	machine->exit_code = machine->exit_code == BM_EXIT_OK ? BM_EXIT_FAILED
							      : machine->exit_code;
	if (now >= machine->stop_deadline_msec + STOP_GRACE_MSEC) {
		leave_without_the_rest(machine);
		return;
	}
	for (size_t i = 0; i < machine->member_count; i++) {
		if (is_up(machine->members[i])) {
			bm_unit_handle(machine->members[i]->unit, BM_UNIT_TIMED_OUT);
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
	pid_t pid = machine->postgres != NULL ? bm_parts_pid(machine->postgres) : 0;

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
	if (machine->stopping) {
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
	machine->strict = options->strict;
	machine->keep_log_format = options->keep_log_format;
	machine->keep_log_level = options->keep_log_level;
	machine->events = bm_events_create();
	machine->started_at = bm_clock_wall_msec();
	machine->state_since_msec = bm_clock_msec();
	machine->config_state = "unread";
	machine->lock_fd = -1;
	machine->heartbeat = bm_timer_create(loop, on_heartbeat, machine);
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

	if (machine->stopping) {
		return;
	}
	machine->stopping = true;
	machine->stop_reported_msec = now;
	machine->stop_deadline_msec = now +
			(machine->config != NULL ? machine->config->stop_deadline_msec
						 : STOP_DEADLINE_MSEC);
	bm_text_copy(machine->stop_why, sizeof(machine->stop_why), why);
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
	bm_timer_close(machine->heartbeat);
	bm_config_destroy(machine->config);
	if (machine->lock_fd >= 0 && !machine->hold.active) {
		bm_event_store_finish(machine->event_store);
	}
	bm_event_store_destroy(machine->event_store);
	bm_events_destroy(machine->events);
	host_finish(&machine->host);
	bm_strbuf_finish(&machine->config_errors);
	bm_strbuf_finish(&machine->pgpass_warnings);
	bm_strbuf_finish(&machine->unreachable);
	if (machine->lock_fd >= 0) {
		close(machine->lock_fd);
	}
	free_paths(&machine->paths);
	free(machine);
}
