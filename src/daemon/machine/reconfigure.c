/*
 * What a changed machine.yaml means for the parts that exist: units that are gone or
 * changed are retired, new ones added, and Bucardo's limits taken over. Everything
 * else waits for the next start of the machine.
 */
#include "daemon/machine/internal.h"

#include <string.h>

#include "bucardo_machine/macros.h"
#include "daemon/workers/http_unit.h"
#include "daemon/workers/notify_unit.h"

static bool is_same_list(const char *const *a, const char *const *b)
{
	if (a == NULL || b == NULL) {
		return a == b;
	}
	while (*a != NULL && *b != NULL && strcmp(*a, *b) == 0) {
		a++;
		b++;
	}
	return *a == NULL && *b == NULL;
}

static bool is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is_same_unit(const struct bm_config_unit *a, const struct bm_config_unit *b)
{
	return strcmp(a->name, b->name) == 0 && is_same_list(a->command, b->command) &&
			is_same_list(a->env, b->env) && is_same_text(a->cwd, b->cwd) &&
			is_same_text(a->ready_tcp, b->ready_tcp) &&
			is_same_list(a->ready_exec, b->ready_exec) &&
			a->ready_timeout_msec == b->ready_timeout_msec &&
			a->stop_timeout_msec == b->stop_timeout_msec;
}

static bool has_unit(const struct bm_config *config, const struct bm_config_unit *wanted)
{
	for (size_t i = 0; i < config->unit_count; i++) {
		if (is_same_unit(&config->units[i], wanted)) {
			return true;
		}
	}
	return false;
}

static void retire_changed_units(struct bm_machine *machine, const struct bm_config *old)
{
	for (size_t i = 0; i < old->unit_count; i++) {
		if (!has_unit(machine->settings.config, &old->units[i])) {
			bm_parts_find(machine, old->units[i].name)->retired = true;
		}
	}
}

/* Those that are retired just now are still there. */
static void take_place(struct bm_machine *machine, struct slot *slot)
{
	for (size_t i = 0; i < machine->units.count; i++) {
		struct slot *before = machine->units.slots[i];
		if (before->retired && strcmp(before->name, slot->name) == 0) {
			bm_unit_succeed(slot->unit, before->unit);
		}
	}
}

static void add_new_units(struct bm_machine *machine, const struct bm_config *old)
{
	for (size_t i = 0; i < machine->settings.config->unit_count; i++) {
		if (!has_unit(old, &machine->settings.config->units[i])) {
			bm_parts_add_extra(machine, &machine->settings.config->units[i]);
			take_place(machine,
					bm_parts_find(machine,
							machine->settings.config->units[i]
									.name));
		}
	}
}

static void add_http(struct bm_machine *machine)
{
	const char *at = bm_http_unit_listen(
			machine->settings.config, machine->paths.http_listen);
	struct bm_http_unit unit;

	if (at != NULL) {
		bm_http_unit_fill(&unit, machine->settings.config, at, machine->paths.runtime,
				machine->paths.plain_runtime);
		take_place(machine,
				bm_parts_add_program(machine, BM_ROLE_CLIENT, &unit.spec,
						&unit.policy));
	}
}

static void add_notify(struct bm_machine *machine)
{
	struct bm_notify_unit unit;

	if (machine->settings.config->receiver_count > 0) {
		bm_notify_unit_fill(&unit, machine->settings.config, machine->paths.runtime,
				machine->paths.volume);
		take_place(machine,
				bm_parts_add_program(machine, BM_ROLE_CLIENT, &unit.spec,
						&unit.policy));
		bm_notify_unit_finish(&unit);
	}
}

void bm_parts_add_clients(struct bm_machine *machine)
{
	add_http(machine);
	add_notify(machine);
}

static void replace_notify(struct bm_machine *machine, const struct bm_config *old)
{
	struct slot *slot = bm_parts_find(machine, BM_NOTIFY_UNIT);

	if (bm_notify_unit_is_same(old, machine->settings.config)) {
		return;
	}
	if (slot != NULL) {
		slot->retired = true;
	}
	add_notify(machine);
}

static void replace_http(struct bm_machine *machine, const struct bm_config *old)
{
	struct slot *slot = bm_parts_find(machine, BM_HTTP_UNIT);

	if (bm_http_unit_is_same(old, machine->settings.config, machine->paths.http_listen)) {
		return;
	}
	if (slot != NULL) {
		slot->retired = true;
	}
	add_http(machine);
}

/* What was given to parts when they were made, and cannot be changed in them. */
static void list_what_waits(const struct bm_config *old, const struct bm_config *new,
		struct bm_strbuf *later)
{
	const struct {
		const char *key;
		bool is_same;
	} keys[] = {
			{"postgres.settings",
					is_same_list(old->postgres_settings,
							new->postgres_settings)},
			{"bucardo.observe_interval",
					old->observe_interval_msec ==
							new->observe_interval_msec},
			{"supervision.stop_deadline (each unit's share)",
					old->stop_deadline_msec == new->stop_deadline_msec},
			{"supervision.give_up_after", old->give_up_after == new->give_up_after},
			{"supervision.backoff_first",
					old->backoff_first_msec == new->backoff_first_msec},
			{"supervision.backoff_limit",
					old->backoff_limit_msec == new->backoff_limit_msec},
			{"supervision.stable_after",
					old->stable_after_msec == new->stable_after_msec},
	};

	for (size_t i = 0; i < BM_COUNT_OF(keys); i++) {
		if (!keys[i].is_same) {
			bm_strbuf_printf(later, "%s%s", later->length > 0 ? ", " : "",
					keys[i].key);
		}
	}
}

void bm_parts_reconfigure(struct bm_machine *machine, const struct bm_config *old,
		struct bm_strbuf *later)
{
	struct bm_bucardo_options options = bm_parts_bucardo_options(machine);

	if (machine->units.count == 0) {
		return;
	}
	replace_http(machine, old);
	replace_notify(machine, old);
	retire_changed_units(machine, old);
	add_new_units(machine, old);
	bm_bucardo_configure(machine->bucardo, &options);
	bm_migrate_configure(machine->migrate, machine->settings.config);
	list_what_waits(old, machine->settings.config, later);
}
