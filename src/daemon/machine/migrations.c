/* The declared migrations as a part of the machine, and what a person asks of them. */
#include "daemon/machine/internal.h"

#include <stdlib.h>

#include "bucardo_machine/observer.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/syncs.h"

static void on_event(void *ctx, enum bm_log_level level, const char *subject, const char *text)
{
	struct bm_machine *machine = ctx;

	bm_events_add(machine->events, level, subject, "%s", text);
}

/* Which syncs may run; the capture phase names them after their migration. */
static void declare_syncs(struct bm_machine *machine)
{
	size_t count = bm_migrate_count(machine->migrate) * BM_SYNCS_LIMIT;
	struct bm_declared_sync *syncs = bm_alloc((count + 1) * sizeof(*syncs));
	char **names = bm_alloc((count + 1) * sizeof(*names));

	for (size_t i = 0; i < count; i++) {
		struct bm_migration_view view = bm_migrate_view(
				machine->migrate, i / BM_SYNCS_LIMIT);
		names[i] = bm_sync_name(view.name, (unsigned)(i % BM_SYNCS_LIMIT));
		syncs[i] = (struct bm_declared_sync){names[i], view.released,
				view.paused || view.leaving.asked, view.resuming,
				view.changing.under_way};
	}
	bm_bucardo_declare(machine->bucardo, syncs, count);
	for (size_t i = 0; i < count; i++) {
		free(names[i]);
	}
	free(names);
	free(syncs);
}

static bool is_resuming(const struct bm_machine *machine, const char *migration)
{
	bool found = false;

	for (unsigned i = 0; i < BM_SYNCS_LIMIT && !found; i++) {
		char *name = bm_sync_name(migration, i);
		found = bm_bucardo_is_resuming(machine->bucardo, name);
		free(name);
	}
	return found;
}

void bm_migrations_reconcile(struct bm_machine *machine)
{
	for (size_t i = 0; i < bm_migrate_count(machine->migrate); i++) {
		struct bm_migration_view view = bm_migrate_view(machine->migrate, i);
		if (view.resuming && !is_resuming(machine, view.name)) {
			bm_migrate_resumed(machine->migrate, view.name);
		}
	}
}

static void on_changed(void *ctx)
{
	struct bm_machine *machine = ctx;

	declare_syncs(machine);
	bm_machine_tick_soon(machine);
}

void bm_migrations_create(struct bm_machine *machine)
{
	const struct bm_migrate_options options = {
			.program = "/proc/self/exe",
			.socket_dir = machine->paths.plain_runtime,
			.pgpass = machine->paths.pgpass,
	};
	const struct bm_migrate_host host = {on_event, on_changed, machine};

	machine->migrate = bm_migrate_create(machine->loop, &options, &host, machine->control);
	bm_migrate_configure(machine->migrate, machine->settings.config);
}

static int check_usable(const struct bm_machine *machine, struct bm_error *err)
{
	if (machine->migrate == NULL) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"the machine holds, no migration can be asked for anything: %s",
				machine->volume.hold.why);
	}
	if (machine->stop.asked) {
		return bm_error_set(err, BM_ERR_PRECONDITION, "the machine is stopping");
	}
	return 0;
}

int bm_machine_migrate(struct bm_machine *machine, enum bm_migrate_verb verb, const char *name,
		enum bm_phase until, const char *by, struct bm_error *err)
{
	if (check_usable(machine, err) != 0) {
		return -1;
	}
	return bm_migrate_request(machine->migrate, verb, name, until, by, err);
}

int bm_machine_teardown(struct bm_machine *machine, const char *name, const char *without,
		const char *by, struct bm_error *err)
{
	if (check_usable(machine, err) != 0 ||
			bm_migrate_teardown(machine->migrate, name, without, by, err) != 0) {
		return -1;
	}
	bm_observer_wake(machine->observer); /* its syncs are to be seen, and deactivated */
	return 0;
}

char *bm_machine_teardown_preview(
		struct bm_machine *machine, const char *name, struct bm_error *err)
{
	return check_usable(machine, err) == 0
			? bm_migrate_teardown_preview(machine->migrate, name, err)
			: NULL;
}

int bm_machine_change(struct bm_machine *machine, const char *name,
		const struct bm_change *change, const char *by, uint64_t *number,
		struct bm_error *err)
{
	return check_usable(machine, err) == 0
			? bm_migrate_change(machine->migrate, name, change, by, number, err)
			: -1;
}

char *bm_machine_change_check(struct bm_machine *machine, const char *name,
		const struct bm_change *change, struct bm_error *err)
{
	return check_usable(machine, err) == 0
			? bm_migrate_change_check(machine->migrate, name, change, err)
			: NULL;
}

char *bm_machine_doctor(struct bm_machine *machine, const char *name, struct bm_error *err)
{
	return check_usable(machine, err) == 0
			? bm_migrate_doctor_request(machine->migrate, name, err)
			: NULL;
}

char *bm_machine_plan(
		struct bm_machine *machine, const char *name, bool fix, struct bm_error *err)
{
	if (check_usable(machine, err) != 0) {
		return NULL;
	}
	return bm_migrate_preflight_request(machine->migrate, name, fix, err);
}
