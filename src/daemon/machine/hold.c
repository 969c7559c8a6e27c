/*
 * Hold or go: before the control cluster runs, decide whether the volume may be
 * touched, and take its lock. Called at every tick until all is well, so the
 * machine goes on by itself when a person has fixed the cause.
 */
#include "daemon/machine/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/folder.h"
#include "daemon/volume/lock.h"

static void set_hold(
		struct bm_machine *machine, const char *what, const char *why, const char *hint)
{
	struct hold *hold = &machine->volume.hold;
	bool is_news = !hold->active || strcmp(hold->what, what) != 0;

	hold->active = true;
	bm_text_copy(hold->what, sizeof(hold->what), what);
	bm_text_copy(hold->why, sizeof(hold->why), why);
	bm_text_copy(hold->hint, sizeof(hold->hint), hint);
	if (is_news) {
		bm_events_add(machine->events, BM_LOG_ERROR, "volume",
				"holding (%s): %s; hint: %s", what, why, hint);
	}
}

static void clear_hold(struct bm_machine *machine)
{
	if (!machine->volume.hold.active) {
		return;
	}
	machine->volume.hold.active = false;
	bm_events_add(machine->events, BM_LOG_INFO, "volume",
			"the cause is gone (%s), going on", machine->volume.hold.what);
	/* What is mounted there now may be another file system than the watched one. */
	bm_settings_rewatch(machine);
}

static bool has_lock(struct bm_machine *machine)
{
	struct bm_error err = BM_ERROR_INIT;

	if (machine->volume.lock_fd >= 0) {
		if (bm_lock_is_of(machine->volume.lock_fd, machine->paths.volume)) {
			return true;
		}
		close(machine->volume.lock_fd);
	}
	machine->volume.lock_fd = bm_lock_take(machine->paths.volume, &err);
	if (machine->volume.lock_fd >= 0) {
		return true;
	}
	if (err.code == BM_ERR_PRECONDITION) {
		set_hold(machine, "locked", err.message,
				"stop the other machine, or give this one a volume of its own");
	} else {
		set_hold(machine, "lock-failed", err.message,
				"see to the volume's rights and space");
	}
	return false;
}

/* Neither Bucardo nor PostgreSQL takes any path; what they get is good for them. */
static int name_runtime(struct paths *paths, struct bm_error *err)
{
	if (bm_folder_is_plain(paths->runtime)) {
		return 0;
	}
	if (bm_folder_open(paths->runtime, &paths->runtime_fd, paths->runtime_name, err) != 0) {
		return -1;
	}
	paths->plain_runtime = paths->runtime_name;
	return 0;
}

static bool makes_folders(struct bm_machine *machine)
{
	struct bm_error err = BM_ERROR_INIT;
	char *parent = bm_format("%s/postgres", machine->paths.volume);
	int rc = bm_file_make_folders(machine->paths.runtime, 0700, &err);

	if (rc == 0) {
		rc = name_runtime(&machine->paths, &err);
	}
	if (rc == 0) {
		rc = bm_file_make_folders(machine->paths.home, 0700, &err);
	}
	if (rc == 0) {
		rc = bm_file_make_folders(parent, 0700, &err);
	}
	free(parent);
	if (rc != 0) {
		set_hold(machine, "folders", err.message,
				"see to the rights and the free space of that place");
	}
	return rc == 0;
}

static const char *describe_found(const struct bm_machine *machine)
{
	switch (machine->volume.report.cluster) {
	case BM_CLUSTER_ABSENT:
		return "an empty volume";
	case BM_CLUSTER_INTERRUPTED:
		return "an initdb that was cut off";
	default:
		return "a control cluster";
	}
}

static bool is_usable(struct bm_machine *machine)
{
	struct bm_volume_report *report = &machine->volume.report;
	const struct paths *paths = &machine->paths;

	if (paths->major == 0) {
		set_hold(machine, "no-postgres", "no PostgreSQL server is installed here",
				"install one (package postgresql), or point BUCARDO_MACHINE_PGBIN at "
				"the folder of its programs");
		return false;
	}
	bm_volume_inspect(paths->volume, paths->data_dir, paths->major, report);
	if (report->state != BM_VOLUME_USABLE) {
		set_hold(machine, bm_volume_state_name(report->state), report->why,
				report->hint);
		return false;
	}
	return true;
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++) {
		count += *text == '\n';
	}
	return count;
}

/* Every error is a line of the log, told anew when a person's fix led to others. */
static void hold_for_config(struct bm_machine *machine)
{
	const char *errors = bm_strbuf_text(&machine->settings.errors);
	size_t count = count_lines(errors);
	struct hold before = machine->volume.hold;
	char why[sizeof(before.why)];

	if (count > 1) {
		snprintf(why, sizeof(why), "machine.yaml has %zu errors, the first is %.*s",
				count, (int)strcspn(errors, "\n"), errors);
	} else {
		snprintf(why, sizeof(why), "%.*s", (int)strcspn(errors, "\n"), errors);
	}
	set_hold(machine, "bad-config", why,
			"fix machine.yaml on the volume; `bucardo-machine config check` tells when it "
			"is right");
	bool was_reported = before.active && strcmp(before.what, "bad-config") == 0;
	if (was_reported ? strcmp(before.why, why) != 0 : count > 1) {
		bm_events_add_lines(machine->events, BM_LOG_ERROR, "config", errors);
	}
}

static bool has_config(struct bm_machine *machine)
{
	if (machine->settings.config != NULL) {
		return true;
	}
	if (bm_settings_load(machine)) {
		return true;
	}
	hold_for_config(machine);
	return false;
}

void bm_hold_check(struct bm_machine *machine)
{
	bool first = machine->volume.found[0] == '\0';

	if (!is_usable(machine) || !has_lock(machine) || !makes_folders(machine) ||
			!has_config(machine)) {
		return;
	}
	clear_hold(machine);
	if (first) {
		bm_text_copy(machine->volume.found, sizeof(machine->volume.found),
				describe_found(machine));
		bm_events_add(machine->events, BM_LOG_INFO, "volume", "found %s on '%s'",
				machine->volume.found, machine->paths.volume);
	}
}
