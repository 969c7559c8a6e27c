/*
 * What a person wrote: machine.yaml and pgpass. Both are read at the start and
 * again whenever their folder changes; Kubernetes swaps links, so folders are
 * watched, not files. A bad file never replaces a good configuration.
 */
#include "daemon/machine/internal.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/observer.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"

/* What stands on the command line is stronger than the file. */
static void apply_log(const struct bm_machine *machine, const struct bm_config *config)
{
	if (!machine->settings.keep_log_level) {
		bm_log_set_level(config->log_level);
	}
	if (!machine->settings.keep_log_format) {
		bm_log_set_format(config->log_format);
	}
}

/* The file's configuration, or the defaults without a file; NULL: errors are kept. */
static struct bm_config *read_config(struct bm_machine *machine, const char **state)
{
	const char *path = machine->paths.config;

	bm_strbuf_clear(&machine->settings.errors);
	/* A link to nowhere is no absent file: somebody meant to give a configuration. */
	if (!bm_file_is_named(path)) {
		*state = "default";
		return bm_config_create_default();
	}
	*state = "loaded";
	return bm_config_load(path, &machine->settings.errors);
}

static void write_example(struct bm_machine *machine)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	struct bm_strbuf present = BM_STRBUF_INIT;
	struct bm_error err = BM_ERROR_INIT;
	const char *path = machine->paths.example;

	bm_config_example(&text);
	bool is_read = bm_file_exists(path) &&
			bm_file_load(path, BM_CONFIG_LIMIT_BYTES, &present, NULL) == 0;
	if ((!is_read || strcmp(bm_strbuf_text(&text), bm_strbuf_text(&present)) != 0) &&
			bm_file_replace(path, text.text, text.length, 0644, &err) != 0) {
		bm_events_add(machine->events, BM_LOG_WARN, "config", "%s", err.message);
	}
	bm_strbuf_finish(&present);
	bm_strbuf_finish(&text);
}

/*
 * A file that is gone may be in the middle of being replaced, or on its way back: no
 * reason to end the units it names. A person who means it says so by `config reload`.
 */
static void keep_without_file(struct bm_machine *machine)
{
	static const char text[] =
			"machine.yaml is gone, the configuration it gave stays until the machine "
			"starts next; put the file back, or take the defaults with "
			"`bucardo-machine config reload`\n";

	if (strcmp(machine->settings.state, "default") == 0 ||
			strcmp(bm_strbuf_text(&machine->settings.errors), text) == 0) {
		return;
	}
	bm_strbuf_clear(&machine->settings.errors);
	bm_strbuf_puts(&machine->settings.errors, text);
	machine->settings.state = "rejected";
	bm_events_add(machine->events, BM_LOG_WARN, "config", "%s", text);
}

static void reread(struct bm_machine *machine)
{
	if (machine->settings.config != NULL && !bm_file_is_named(machine->paths.config)) {
		keep_without_file(machine);
	} else {
		bm_machine_reload(machine, NULL);
	}
}

static void on_volume_changed(void *ctx, const char *name)
{
	/* Kubernetes swaps the link "..data", through which machine.yaml is a link too. */
	if (name == NULL || strcmp(name, "machine.yaml") == 0 || strcmp(name, "..data") == 0) {
		reread(ctx);
	}
}

static void on_secret_changed(void *ctx, const char *name)
{
	(void)name;
	bm_settings_refresh_pgpass(ctx);
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? bm_strndup(path, (size_t)(slash - path)) : bm_strdup(".");
}

void bm_settings_open(struct bm_machine *machine)
{
	char *secret_folder = folder_of(machine->paths.pgpass_secret);

	if (machine->settings.config_watch == NULL) {
		machine->settings.config_watch = bm_folder_watch_create(machine->loop,
				machine->paths.volume, on_volume_changed, machine, NULL);
	}
	if (machine->settings.pgpass_watch == NULL && bm_file_exists(secret_folder)) {
		machine->settings.pgpass_watch = bm_folder_watch_create(
				machine->loop, secret_folder, on_secret_changed, machine, NULL);
		bm_settings_refresh_pgpass(machine);
	}
	free(secret_folder);
}

void bm_settings_close(struct bm_machine *machine)
{
	bm_folder_watch_close(machine->settings.config_watch);
	bm_folder_watch_close(machine->settings.pgpass_watch);
	machine->settings.config_watch = machine->settings.pgpass_watch = NULL;
}

void bm_settings_rewatch(struct bm_machine *machine)
{
	bm_settings_close(machine);
	bm_settings_open(machine);
	if (machine->settings.config != NULL) {
		reread(machine);
	}
}

bool bm_settings_load(struct bm_machine *machine)
{
	const char *state;
	struct bm_config *config = read_config(machine, &state);

	if (config == NULL) {
		machine->settings.state = "rejected";
		return false;
	}
	machine->settings.config = config;
	machine->settings.state = state;
	apply_log(machine, config);
	write_example(machine);
	bm_settings_refresh_pgpass(machine);
	return true;
}

static int refuse(struct bm_machine *machine, struct bm_strbuf *errors)
{
	const char *text = bm_strbuf_text(&machine->settings.errors);

	machine->settings.state = "rejected";
	bm_events_add(machine->events, BM_LOG_ERROR, "config",
			"machine.yaml was refused, the earlier configuration stays; its errors:");
	bm_events_add_lines(machine->events, BM_LOG_ERROR, "config", text);
	if (errors != NULL) {
		bm_strbuf_puts(errors, text);
	}
	return -1;
}

/* Two configurations that print alike are alike: `config show` names every key. */
static bool is_same(const struct bm_config *a, const struct bm_config *b)
{
	struct bm_strbuf left = BM_STRBUF_INIT;
	struct bm_strbuf right = BM_STRBUF_INIT;

	bm_config_show(a, &left);
	bm_config_show(b, &right);
	bool same = strcmp(bm_strbuf_text(&left), bm_strbuf_text(&right)) == 0;
	bm_strbuf_finish(&left);
	bm_strbuf_finish(&right);
	return same;
}

/* Before the first configuration: the tick takes it when nothing else stands in the way,
 * but whoever asks wants to know now. */
static int reload_in_hold(struct bm_machine *machine, struct bm_strbuf *errors)
{
	const char *state;
	struct bm_config *config = read_config(machine, &state);
	bool is_held = machine->volume.hold.active &&
			strcmp(machine->volume.hold.what, "bad-config") != 0;

	bm_machine_tick_soon(machine);
	if (errors != NULL && config == NULL) {
		bm_strbuf_puts(errors, bm_strbuf_text(&machine->settings.errors));
	} else if (errors != NULL && is_held) {
		bm_strbuf_printf(errors,
				"the machine holds, and takes no configuration yet: %s\n",
				machine->volume.hold.why);
	}
	bool good = config != NULL && !is_held;
	bm_config_destroy(config);
	return good ? 0 : -1;
}

/* ", but not of migration 'app' (source.host was ...)": what is refused of it, or nothing. */
static void list_refused(struct bm_machine *machine, struct bm_strbuf *out)
{
	size_t count = machine->migrate != NULL ? bm_migrate_count(machine->migrate) : 0;

	for (size_t i = 0; i < count; i++) {
		struct bm_migration_view view = bm_migrate_view(machine->migrate, i);
		if (view.refusal != NULL) {
			bm_strbuf_printf(out, "%s'%s' (%s)",
					out->length > 0 ? ", " : ", but not of migration ",
					view.name, view.refusal);
		}
	}
}

static void report_taken(struct bm_machine *machine, bool changed, const char *state)
{
	struct bm_strbuf refused = BM_STRBUF_INIT;

	list_refused(machine, &refused);
	bm_events_add(machine->events, refused.length > 0 ? BM_LOG_WARN : BM_LOG_INFO, "config",
			"configuration %s (%s)%s", changed ? "taken over" : "is as it was",
			state, bm_strbuf_text(&refused));
	bm_strbuf_finish(&refused);
}

int bm_machine_reload(struct bm_machine *machine, struct bm_strbuf *errors)
{
	const char *state;

	bm_settings_refresh_pgpass(machine);
	if (machine->settings.config == NULL) {
		return reload_in_hold(machine, errors);
	}
	struct bm_config *config = read_config(machine, &state);
	if (config == NULL) {
		return refuse(machine, errors);
	}
	struct bm_config *old = machine->settings.config;
	bool was_rejected = strcmp(machine->settings.state, "rejected") == 0;
	bool changed = !is_same(old, config);
	machine->settings.config = config;
	machine->settings.state = state;
	apply_log(machine, config);
	struct bm_strbuf later = BM_STRBUF_INIT;
	bm_parts_reconfigure(machine, old, &later);
	if (later.length > 0) {
		bm_events_add(machine->events, BM_LOG_WARN, "config",
				"takes effect when the machine starts next: %s", later.text);
	}
	bm_strbuf_finish(&later);
	/* Somebody who asked for it wants an answer; a touched file does not. */
	if (changed || was_rejected || errors != NULL) {
		report_taken(machine, changed, state);
	}
	bm_config_destroy(old);
	bm_machine_tick_soon(machine);
	return 0;
}

void bm_settings_refresh_pgpass(struct bm_machine *machine)
{
	struct bm_strbuf warnings = BM_STRBUF_INIT;
	struct bm_error err = BM_ERROR_INIT;

	if (machine->volume.lock_fd < 0) {
		return; /* the runtime folder may belong to another live machine */
	}
	int rc = bm_pgpass_refresh(
			machine->paths.pgpass_secret, machine->paths.pgpass, &warnings, &err);
	if (rc < 0) {
		bm_strbuf_printf(&warnings, "%s\n", err.message);
	}
	if (strcmp(bm_strbuf_text(&warnings),
			    bm_strbuf_text(&machine->settings.pgpass_warnings)) != 0 &&
			warnings.length > 0) {
		bm_events_add_lines(machine->events, BM_LOG_WARN, "pgpass", warnings.text);
	}
	if (rc > 0) {
		bm_events_add(machine->events, BM_LOG_INFO, "pgpass",
				"took over the passwords of '%s'",
				machine->paths.pgpass_secret);
		if (machine->observer != NULL) {
			bm_observer_wake(machine->observer);
			bm_migrate_retry(machine->migrate);
		}
	}
	bm_strbuf_finish(&machine->settings.pgpass_warnings);
	machine->settings.pgpass_warnings = warnings;
}
