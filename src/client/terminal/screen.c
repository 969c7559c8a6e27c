/*
 * The screen of `status`, from top to bottom: the machine, what is wrong with it, its
 * migrations, then what is most often well. Where it is too long for the screen, what is well
 * goes first, then what can be asked for; what is wrong stays.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/syncs.h"
#include "bucardo_machine/words.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

/* More migrations than these have one line each. */
#define MANY 6

/* Names of a kind in one sentence. */
#define NAMES_SHOWN 2

static bool is_text(const json_t *object, const char *member, const char *text)
{
	return strcmp(cli_text_of(object, member), text) == 0;
}

/* ---- the head: the machine as a whole ---- */

/* "  label    text", wrapped; nothing for an empty text. */
static void add_line(struct bm_strbuf *out, const char *label, const char *text)
{
	if (text[0] == '\0') {
		return;
	}
	bm_strbuf_printf(out, "  %-8s ", label);
	cli_text_wrapped(text, 11, 11, out);
}

static void add_headline(const json_t *status, bool colour, struct bm_strbuf *out)
{
	char since[BM_CLOCK_TEXT_SIZE], uptime[BM_CLOCK_TEXT_SIZE];
	const char *state = cli_text_of(status, "state");
	const char *age = cli_text_span(status, "age_msec", since);
	char *more = bm_format("(bucardo-machine %s, pid %lld, up %s)",
			cli_text_of(status, "version"),
			(long long)json_integer_value(json_object_get(status, "pid")),
			cli_text_span(status, "uptime_msec", uptime));
	size_t width = strlen("The machine has been  for   ") + strlen(state) + strlen(age);

	bm_strbuf_puts(out, "The machine has been ");
	cli_tinted(cli_tint_of(state), colour, state, out);
	bm_strbuf_printf(out, " for %s", age);
	bm_strbuf_printf(out, "%s%s\n",
			width + strlen(more) <= cli_text_columns() ? "  " : "\n  ", more);
	free(more);
}

/* A sentence of a migration's row, just below, which says the rest and the fix. */
static bool is_reported_below(const char *why)
{
	return strncmp(why, "migration '", strlen("migration '")) == 0 &&
			strstr(why, "' is stuck in ") != NULL;
}

/* The errors of machine.yaml, without one that is the headline. */
static void add_errors(const json_t *lines, const char *why, struct bm_strbuf *out)
{
	size_t index;
	bool told = false;
	const json_t *line;

	json_array_foreach(lines, index, line)
	{
		if (strstr(why, json_string_value(line)) == NULL) {
			add_line(out, told ? "" : "errors", json_string_value(line));
			told = true;
		}
	}
}

/* What a person has to know; the rest is good to know. */
static void add_troubles(const json_t *status, struct bm_strbuf *out)
{
	const char *why = cli_text_of(status, "why");
	struct bm_strbuf line = BM_STRBUF_INIT;
	size_t index;
	const json_t *text;

	if (is_reported_below(why)) {
		char *brief = bm_strndup(why, strcspn(why, ":"));
		add_line(out, "why", brief);
		free(brief);
	} else {
		add_line(out, "why", why);
		add_line(out, "advice", cli_text_of(status, "advice"));
	}
	add_line(out, "host", cli_text_of(json_object_get(status, "host"), "text"));
	cli_receivers_sentence(json_object_get(status, "receivers"), &line);
	add_line(out, "notify", bm_strbuf_text(&line));
	bm_strbuf_finish(&line);
	add_errors(json_object_get(json_object_get(status, "config"), "errors"), why, out);
	json_array_foreach(json_object_get(json_object_get(status, "pgpass"), "warnings"),
			index, text)
	{
		add_line(out, index == 0 ? "pgpass" : "", json_string_value(text));
	}
}

static void add_config(const json_t *status, struct bm_strbuf *out)
{
	const json_t *config = json_object_get(status, "config");
	const char *path = cli_text_of(config, "path"), *state = cli_text_of(config, "state");
	/* Without a configuration there are no units. */
	bool has_units = json_array_size(json_object_get(status, "units")) > 0;
	struct bm_strbuf line = BM_STRBUF_INIT;

	if (strcmp(state, "default") == 0) {
		bm_strbuf_printf(&line, "all defaults, there is no %s", path);
	} else if (strcmp(state, "rejected") == 0) {
		bm_strbuf_printf(&line, "%s, REJECTED: %s", path,
				has_units ? "the configuration before it is kept"
					  : "nothing starts before it is fixed");
	} else {
		bm_strbuf_printf(&line, "%s, %s", path, state);
	}
	add_line(out, "config", bm_strbuf_text(&line));
	bm_strbuf_finish(&line);
}

static void add_places(const json_t *status, struct bm_strbuf *out)
{
	const char *found = cli_text_of(status, "found");
	struct bm_strbuf line = BM_STRBUF_INIT;

	bm_strbuf_printf(&line, "%s%s%s", cli_text_of(status, "volume"),
			found[0] != '\0' ? ", found at the start: " : "", found);
	add_line(out, "volume", bm_strbuf_text(&line));
	bm_strbuf_finish(&line);
	add_config(status, out);
}

/* ---- which of them are shown ---- */

/* Whether one of `list` is well; the others are always shown. */
struct kind {
	const char *member, *one, *several, *well, *state;
	bool (*is_well)(const json_t *status, const json_t *one);
	void (*render)(const json_t *list, bool colour, struct bm_strbuf *out);
};

static bool is_unit_well(const json_t *status, const json_t *unit)
{
	(void)status;
	return is_text(unit, "state", "ready");
}

static bool is_database_well(const json_t *status, const json_t *database)
{
	(void)status;
	return is_text(database, "reach", "yes");
}

/* One of a migration is told in its row: also that it is paused with it, or waits for it. */
static bool is_sync_well(const json_t *status, const json_t *sync)
{
	static const char *const well[] = {"idle", "running", "catching-up"};
	size_t index;
	const json_t *migration;

	for (size_t i = 0; i < BM_COUNT_OF(well); i++) {
		if (is_text(sync, "health", well[i]) && cli_text_of(sync, "why")[0] == '\0') {
			return true;
		}
	}
	json_array_foreach(json_object_get(status, "migrations"), index, migration)
	{
		if (bm_sync_is_of(cli_text_of(sync, "name"), cli_text_of(migration, "name")) &&
				!cli_migration_is_live(migration)) {
			return is_text(sync, "health", "stopped") ||
					is_text(sync, "health", "idle");
		}
	}
	return false;
}

static const struct kind kinds[] = {
		{"syncs", "sync", "syncs", "healthy", "health", is_sync_well, cli_render_syncs},
		{"databases", "database", "databases", "reachable", "reach", is_database_well,
				cli_render_databases},
		{"units", "unit", "units", "ready", "state", is_unit_well,
				cli_render_unit_list},
};

/* What there is no room for in a table. */
struct summary {
	struct bm_strbuf well, wrong;
};

/* "sync app_sync failing, database app_source unreachable". */
static void add_names(struct bm_strbuf *out, const struct kind *kind, const json_t *list)
{
	bool is_reach = strcmp(kind->state, "reach") == 0;
	size_t index;
	const json_t *one;

	json_array_foreach(list, index, one)
	{
		if (index == NAMES_SHOWN) {
			bm_strbuf_printf(out, " and %zu more",
					json_array_size(list) - NAMES_SHOWN);
			return;
		}
		bm_strbuf_printf(out, "%s%s %s %s", out->length > 0 ? ", " : "", kind->one,
				cli_text_of(one, "name"),
				is_reach ? "unreachable" : cli_text_of(one, kind->state));
	}
}

/* Those that are not well as a table, or by name; of the others only how many there are. */
static void add_kind(const json_t *status, const struct kind *kind, const struct cli_view *view,
		struct summary *summary, struct bm_strbuf *out)
{
	json_t *shown = json_array();
	int64_t well = 0;
	size_t index;
	json_t *one;

	json_array_foreach(json_object_get(status, kind->member), index, one)
	{
		if (view->detail != CLI_ALL && kind->is_well(status, one)) {
			well++;
		} else {
			json_array_append(shown, one);
		}
	}
	if (view->detail >= CLI_NAMES) {
		add_names(&summary->wrong, kind, shown);
	} else if (json_array_size(shown) > 0) {
		kind->render(shown, view->colour, out);
		bm_strbuf_putc(out, '\n');
	}
	if (well > 0) {
		bm_strbuf_puts(&summary->well, summary->well.length > 0 ? ", " : "Well: ");
		bm_words_count(&summary->well, well, kind->one, kind->several);
		bm_strbuf_printf(&summary->well, " %s", kind->well);
	}
	json_decref(shown);
}

/* ---- migrations ---- */

/* The worst first: a small screen shows the top. */
static int rank_of(const json_t *migration)
{
	static const char *const words[] = {"failed", "halted", "waiting", "paused", "starting",
			"running", "done", "live"};
	const char *word = cli_text_of(migration, "status");

	if (strcmp(word, "failed") != 0 &&
			(cli_apart_count(migration) > 0 || cli_migration_ails(migration) ||
					cli_ill_count(migration, true) > 0)) {
		return 1;
	}
	for (size_t i = 0; i < BM_COUNT_OF(words); i++) {
		if (strcmp(word, words[i]) == 0) {
			return (int)i * 2;
		}
	}
	return 0;
}

static json_t *worst_first(const json_t *migrations)
{
	json_t *sorted = json_array();
	size_t index;
	json_t *one;

	for (int rank = 0; rank <= 14; rank++) {
		json_array_foreach((json_t *)(uintptr_t)migrations, index, one)
		{
			if (rank_of(one) == rank) {
				json_array_append(sorted, one);
			}
		}
	}
	return sorted;
}

/* "12 migrations: 10 live, 1 running, 1 failed; 2 are NOT in step". */
static void add_counts(const json_t *migrations, struct bm_strbuf *out)
{
	static const char *const words[] = {"live", "running", "starting", "done", "waiting",
			"paused", "halted", "failed"};
	struct bm_strbuf text = BM_STRBUF_INIT;
	size_t index, apart = 0, ill = 0, shown = 0;
	const json_t *one;

	bm_words_count(&text, (int64_t)json_array_size(migrations), "migration", NULL);
	for (size_t i = 0; i < BM_COUNT_OF(words); i++) {
		size_t count = 0;
		json_array_foreach(migrations, index, one)
		{
			count += strcmp(cli_text_of(one, "status"), words[i]) == 0;
		}
		if (count > 0) {
			bm_strbuf_printf(&text, "%s%zu %s", shown++ == 0 ? ": " : ", ", count,
					words[i]);
		}
	}
	json_array_foreach(migrations, index, one)
	{
		apart += cli_apart_count(one) > 0;
		ill += cli_ill_count(one, false) > 0;
	}
	if (ill > 0) {
		bm_strbuf_printf(&text, "; %zu with findings of the doctor", ill);
	}
	if (apart > 0) {
		bm_strbuf_printf(&text, "; %zu with something NOT in step", apart);
	}
	cli_text_wrapped(bm_strbuf_text(&text), 0, 2, out);
	bm_strbuf_finish(&text);
}

/* The first `most` of them, one line each. */
static void add_brief(const json_t *migrations, const struct cli_view *view, size_t most,
		struct bm_strbuf *out)
{
	json_t *sorted = worst_first(migrations);
	size_t count = json_array_size(sorted);

	while (json_array_size(sorted) > most) {
		json_array_remove(sorted, json_array_size(sorted) - 1);
	}
	if (count > 1) {
		add_counts(migrations, out);
	}
	if (most > 0) {
		cli_render_migrations(sorted, view->detail, view->colour, out);
	}
	if (count > most) {
		bm_strbuf_printf(out, "and %zu more, none of them worse\n", count - most);
	}
	json_decref(sorted);
}

static void add_migrations(const json_t *status, const struct cli_view *view, size_t most,
		struct bm_strbuf *out)
{
	const json_t *migrations = json_object_get(status, "migrations");

	if (json_array_size(migrations) == 0) {
		return;
	}
	bm_strbuf_putc(out, '\n');
	if (view->detail >= CLI_BRIEF) {
		add_brief(migrations, view, most, out);
	} else {
		cli_render_migrations(migrations, CLI_ALL, view->colour, out);
	}
}

/* ---- the whole ---- */

static void add_rest(const json_t *status, const struct cli_view *view, struct bm_strbuf *out)
{
	struct summary summary = {BM_STRBUF_INIT, BM_STRBUF_INIT};

	bm_strbuf_putc(out, '\n');
	cli_render_no_syncs(status, out);
	for (size_t i = 0; i < BM_COUNT_OF(kinds); i++) {
		add_kind(status, &kinds[i], view, &summary, out);
	}
	if (summary.wrong.length > 0) {
		bm_strbuf_puts(out, "In trouble: ");
		cli_text_wrapped(bm_strbuf_text(&summary.wrong), 12, 2, out);
	}
	if (view->detail == CLI_ALL) {
		add_places(status, out);
	} else {
		bm_strbuf_puts(&summary.well, summary.well.length > 0 ? "; " : "");
		bm_strbuf_puts(&summary.well,
				"`bucardo-machine status --all` shows everything");
		bm_strbuf_puts(&summary.well,
				cli_has_ills(status)
						? "; `bucardo-machine doctor` says what to do"
						: "");
		cli_text_wrapped(bm_strbuf_text(&summary.well), 0, 2, out);
	}
	bm_strbuf_finish(&summary.well);
	bm_strbuf_finish(&summary.wrong);
}

static void render(const json_t *status, const struct cli_view *view, size_t most,
		struct bm_strbuf *out)
{
	bm_strbuf_clear(out);
	add_headline(status, view->colour, out);
	add_troubles(status, out);
	add_migrations(status, view, most, out);
	add_rest(status, view, out);
}

static size_t count_lines(const struct bm_strbuf *text)
{
	size_t lines = 0;

	for (size_t i = 0; i < text->length; i++) {
		lines += text->text[i] == '\n';
	}
	return lines;
}

void cli_render_status(const json_t *status, const struct cli_view *view, struct bm_strbuf *out)
{
	size_t count = json_array_size(json_object_get(status, "migrations"));
	struct cli_view now = *view;

	if (now.detail == CLI_ALL || (now.rows == 0 && count <= MANY)) {
		now.detail = CLI_ALL;
		render(status, &now, SIZE_MAX, out);
		return;
	}
	for (now.detail = count <= MANY ? CLI_ALL : CLI_BRIEF; now.detail <= CLI_WORST;
			now.detail++) {
		render(status, &now, SIZE_MAX, out);
		if (now.rows == 0 || count_lines(out) <= now.rows) {
			return;
		}
	}
	now.detail = CLI_WORST;
	for (size_t most = count; now.is_fixed && most-- > 0;) {
		render(status, &now, most, out);
		if (count_lines(out) <= now.rows) {
			return;
		}
	}
	if (!now.is_fixed) {
		/* The top has scrolled away: what it says stands at the end as well. */
		add_headline(status, now.colour, out);
		add_troubles(status, out);
	}
}
