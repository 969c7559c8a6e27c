/* The read-only snapshot that status is made of. */
#include "daemon/machine/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/observer.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/spawn.h"
#include "bucardo_machine/syncs.h"

void bm_databases_keep(struct bm_machine *machine, const struct bm_observation *observation)
{
	machine->view.databases = bm_realloc(machine->view.databases, observation->db_count,
			sizeof(*machine->view.databases));
	machine->view.database_count = observation->db_count;
	for (size_t i = 0; i < observation->db_count; i++) {
		const struct bm_db_sample *from = &observation->dbs[i];
		struct kept_database *to = &machine->view.databases[i];
		bm_text_copy(to->name, sizeof(to->name), from->name);
		bm_text_copy(to->role, sizeof(to->role), from->role);
		bm_text_copy(to->error, sizeof(to->error), from->error);
		to->reach = from->reach;
		to->since_msec = from->since_msec;
	}
}

void bm_databases_finish(struct bm_machine *machine)
{
	free(machine->view.databases);
	free(machine->view.units);
	free(machine->view.database_rows);
	free(machine->view.syncs);
	free(machine->view.migrations);
}

void bm_machine_notified(struct bm_machine *machine, const struct bm_receiver_report *reports,
		size_t count)
{
	memcpy(machine->view.receivers, reports, count * sizeof(*reports));
	machine->view.receiver_count = count;
	if (machine->migrate != NULL) {
		bm_migrate_notified(machine->migrate, reports, count);
	}
}

void bm_receivers_forget(struct bm_machine *machine)
{
	bm_machine_notified(machine, machine->view.receivers, 0);
}

static const char *kind_of(const struct slot *slot)
{
	static const char *const kinds[] = {
			[BM_ROLE_EXTRA] = "extra",
			[BM_ROLE_POSTGRES] = "postgres",
			[BM_ROLE_BUCARDO] = "bucardo",
	};

	return slot->role == BM_ROLE_CLIENT ? slot->name : kinds[slot->role];
}

/* The unit only knows that it must not run; the reason is ours. */
static bool waits_for_database(const struct bm_machine *machine, const struct slot *slot)
{
	return slot->role == BM_ROLE_BUCARDO && !slot->stop.stopped &&
			machine->unreachable.length > 0 &&
			bm_unit_state(slot->unit) == BM_UNIT_DOWN;
}

static void fill_units(struct bm_machine *machine, struct bm_status *out)
{
	size_t count = machine->units.count;

	machine->view.units = bm_realloc(
			machine->view.units, count + 1, sizeof(*machine->view.units));
	for (size_t i = 0; i < count; i++) {
		const struct slot *slot = machine->units.slots[i];
		struct bm_status_unit *unit = &machine->view.units[i];
		*unit = (struct bm_status_unit){
				.view = bm_unit_view(slot->unit),
				.kind = kind_of(slot),
				.pid = bm_parts_pid(slot),
				.stopped_by = slot->stop.by,
				.stopped_at = slot->stop.at,
		};
		if (waits_for_database(machine, slot)) {
			unit->view.why = bm_strbuf_text(&machine->unreachable);
		}
	}
	out->units = machine->view.units;
	out->unit_count = count;
}

/* The observer is no unit of the plan, but a person wants to see it among them. */
static void add_observer(struct bm_machine *machine, struct bm_status *out)
{
	struct bm_observer_view view = bm_observer_view(machine->observer);

	machine->view.units[out->unit_count++] = (struct bm_status_unit){
			.view = {.name = "observe",
					.state = view.pid > 0 ? BM_UNIT_READY
							: view.retry_at_msec > 0
							? BM_UNIT_BACKOFF
							: BM_UNIT_DOWN,
					.wanted = machine->install.installed,
					.since_msec = view.since_msec,
					.restarts = view.restarts,
					.failures = view.failures,
					.retry_at_msec = view.retry_at_msec,
					.last_exit = view.last_exit,
					.why = view.why},
			.kind = "observe",
			.pid = view.pid,
			.stopped_by = "",
	};
}

static void fill_databases(struct bm_machine *machine, struct bm_status *out)
{
	size_t count = machine->view.database_count;

	machine->view.database_rows = bm_realloc(machine->view.database_rows, count,
			sizeof(*machine->view.database_rows));
	for (size_t i = 0; i < count; i++) {
		const struct kept_database *kept = &machine->view.databases[i];
		machine->view.database_rows[i] = (struct bm_status_database){
				.name = kept->name,
				.role = kept->role,
				.error = kept->error,
				.reach = kept->reach,
				.since_msec = kept->since_msec,
		};
	}
	out->databases = machine->view.database_rows;
	out->database_count = count;
}

/* Whoever paused the migration has paused its syncs: that is what keeps them from running. */
static void take_pause(struct bm_sync_view *sync, const struct bm_status *status)
{
	for (size_t i = 0; i < status->migration_count; i++) {
		const struct bm_migration_view *migration = &status->migrations[i];
		if (migration->status == BM_MIGRATION_PAUSED &&
				bm_sync_is_of(sync->name, migration->name)) {
			sync->health = BM_HEALTH_STOPPED;
			sync->since_msec = migration->since_msec;
			sync->why = migration->why;
			sync->advice = migration->hint;
		}
	}
}

static void fill_syncs(struct bm_machine *machine, struct bm_status *out)
{
	size_t count = bm_bucardo_sync_count(machine->bucardo);
	uint64_t since = bm_status_doubt(out, machine->view.doubt, sizeof(machine->view.doubt));

	machine->view.syncs = bm_realloc(
			machine->view.syncs, count, sizeof(*machine->view.syncs));
	for (size_t i = 0; i < count; i++) {
		machine->view.syncs[i] = bm_bucardo_sync(machine->bucardo, i);
		take_pause(&machine->view.syncs[i], out);
		bm_sync_doubt(&machine->view.syncs[i], machine->view.doubt, since);
	}
	out->syncs = machine->view.syncs;
	out->sync_count = count;
}

static void fill_migrations(struct bm_machine *machine, struct bm_status *out)
{
	size_t count = bm_migrate_count(machine->migrate);

	machine->view.migrations = bm_realloc(
			machine->view.migrations, count, sizeof(*machine->view.migrations));
	for (size_t i = 0; i < count; i++) {
		machine->view.migrations[i] = bm_migrate_view(machine->migrate, i);
	}
	out->migrations = machine->view.migrations;
	out->migration_count = count;
}

static void fill_host(const struct host *host, struct bm_status_host *out)
{
	*out = (struct bm_status_host){
			.known = host->known,
			.slow = host->load.slow,
			.since_msec = host->since_msec,
			.text = host->text,
			.got_percent = host->load.got_percent,
			.waited_percent = host->load.waited_percent,
			.throttled_percent = host->load.throttled_percent,
			.stolen_percent = host->load.stolen_percent,
			.pressure_percent = host->load.pressure_percent,
			.late_msec = host->reported_late_msec,
	};
}

void bm_machine_status(struct bm_machine *machine, struct bm_status *out)
{
	*out = (struct bm_status){
			.version = BM_VERSION,
			.pid = getpid(),
			.now_msec = bm_clock_msec(),
			.started_at = machine->started_at,
			.state = machine->health.state,
			.since_msec = machine->health.since_msec,
			.ready = machine->health.state == BM_MACHINE_READY,
			.why = machine->health.why,
			.advice = machine->health.advice,
			.volume = machine->paths.volume,
			.runtime = machine->paths.runtime,
			.found = machine->volume.found,
			.config_path = machine->paths.config,
			.config_state = machine->settings.state,
			.config_errors = bm_strbuf_text(&machine->settings.errors),
			.pgpass_warnings = bm_strbuf_text(&machine->settings.pgpass_warnings),
			.orphans_reaped = bm_orphans_reaped(machine->loop),
			.log_lines_dropped = bm_log_dropped(),
			.longest_iteration_usec = bm_loop_longest_iteration_usec(machine->loop),
	};
	out->receivers = machine->view.receivers;
	out->receiver_count = machine->view.receiver_count;
	fill_host(&machine->host, &out->host);
	fill_units(machine, out);
	if (machine->units.count > 0) {
		add_observer(machine, out);
		fill_databases(machine, out);
		fill_migrations(machine, out);
		fill_syncs(machine, out);
		out->recoveries = bm_bucardo_recoveries(machine->bucardo);
	}
}

bool bm_machine_is_ready(struct bm_machine *machine, const char **why)
{
	*why = machine->health.why;
	return machine->health.state == BM_MACHINE_READY;
}
