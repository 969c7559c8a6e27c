/* What a person asks of a running machine: services, configuration, events. */
#include "daemon/machine/internal.h"

#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/words.h"

static const char *name_at(const void *ctx, size_t index)
{
	const struct bm_machine *machine = ctx;

	return index < machine->units.count ? machine->units.slots[index]->name : NULL;
}

static int no_such_unit(struct bm_machine *machine, const char *name, struct bm_error *err)
{
	struct bm_strbuf names = BM_STRBUF_INIT;

	for (size_t i = 0; i < machine->units.count; i++) {
		bm_strbuf_printf(&names, "%s%s", i > 0 ? ", " : "",
				machine->units.slots[i]->name);
	}
	const char *meant = bm_words_nearest(name, name_at, machine);
	bm_error_set(err, BM_ERR_CONFIG, "there is no service '%s'; %s%s%sthere are: %s", name,
			meant != NULL ? "did you mean '" : "", meant != NULL ? meant : "",
			meant != NULL ? "'? " : "",
			names.length > 0 ? bm_strbuf_text(&names) : "none (the machine holds)");
	bm_strbuf_finish(&names);
	return -1;
}

static int stop_service(struct bm_machine *machine, struct slot *slot, const char *by,
		struct bm_error *err)
{
	char text[200];

	snprintf(text, sizeof(text), "service stop (%s)", by);
	if (bm_stop_store(machine->paths.volume, slot->name, text, &slot->stop, err) != 0) {
		return -1;
	}
	bm_events_add(machine->events, BM_LOG_INFO, slot->name, "stopping, asked by %s", by);
	return 0;
}

static int start_service(struct bm_machine *machine, struct slot *slot, const char *by,
		struct bm_error *err)
{
	if (bm_stop_remove(machine->paths.volume, slot->name, &slot->stop, err) != 0) {
		return -1;
	}
	bm_events_add(machine->events, BM_LOG_INFO, slot->name, "starting, asked by %s", by);
	return 0;
}

/* A script that restarts what dies at once must not start it more often than the machine would.
 */
static int take_restart(struct slot *slot, struct bm_error *err)
{
	uint64_t wait_msec = bm_unit_ask(slot->unit);
	char span[BM_CLOCK_TEXT_SIZE];

	if (wait_msec == 0) {
		return 0;
	}
	return bm_error_set(err, BM_ERR_PRECONDITION,
			"%s was restarted again and again, or its definition changed, and it did not "
			"run for long since: the next restart is taken in %s. Nothing was done; "
			"`bucardo-machine events` says why it ends, and the machine starts it by "
			"itself",
			slot->name, bm_clock_format_span(wait_msec, span));
}

static int restart_service(struct bm_machine *machine, struct slot *slot, const char *by,
		struct bm_error *err)
{
	char why[200];

	if (take_restart(slot, err) != 0 ||
			bm_stop_remove(machine->paths.volume, slot->name, &slot->stop, err) !=
					0) {
		return -1;
	}
	snprintf(why, sizeof(why), "asked by %s", by);
	bm_parts_restart(slot, why);
	return 0;
}

int bm_machine_service(struct bm_machine *machine, enum bm_service_verb verb, const char *unit,
		const char *by, struct bm_error *err)
{
	static int (*const verbs[])(struct bm_machine * machine, struct slot * slot,
			const char *by, struct bm_error *err) = {
			[BM_SERVICE_START] = start_service,
			[BM_SERVICE_STOP] = stop_service,
			[BM_SERVICE_RESTART] = restart_service,
	};
	struct slot *slot = bm_parts_find(machine, unit);

	if (slot == NULL) {
		return no_such_unit(machine, unit, err);
	}
	if (machine->stop.asked) {
		return bm_error_set(err, BM_ERR_PRECONDITION, "the machine is stopping");
	}
	int rc = verbs[verb](machine, slot, by, err);
	bm_machine_tick_soon(machine);
	return rc;
}

void bm_machine_show_config(struct bm_machine *machine, struct bm_strbuf *out)
{
	if (machine->settings.config != NULL) {
		bm_config_show(machine->settings.config, out);
	} else {
		bm_strbuf_puts(out, "# no configuration: machine.yaml was refused\n");
	}
}

bool bm_machine_event_after(
		struct bm_machine *machine, uint64_t after, struct bm_machine_event *out)
{
	return bm_events_after(machine->events, after, out);
}

void bm_machine_on_event(struct bm_machine *machine, void (*cb)(void *ctx), void *ctx)
{
	bm_events_listen(machine->events, BM_EVENTS_CONTROL, cb, ctx);
}
