/* The screen of `status`, from top to bottom. */
#include "cli/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/bucardo.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "cli/table.h"
#include "cli/text.h"

/* Room for a number with separators, a span, a pid. */
#define SMALL_TEXT 48

static bool is_text(const json_t *object, const char *member, const char *text)
{
	return strcmp(cli_text_of(object, member), text) == 0;
}

/* ---- small parts ---- */

/* "?" when it is not known, "1,000,000+" from `limit` on. */
static void add_number_cell(struct cli_table *table, const json_t *object, const char *member,
		int64_t limit)
{
	const json_t *value = json_object_get(object, member);
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (json_is_integer(value)) {
		cli_text_number(json_integer_value(value), &text);
		bm_strbuf_puts(&text, json_integer_value(value) >= limit ? "+" : "");
	} else {
		bm_strbuf_putc(&text, '?');
	}
	cli_table_cell(table, CLI_PLAIN, bm_strbuf_text(&text));
	bm_strbuf_finish(&text);
}

static void add_state_cell(struct cli_table *table, const char *word)
{
	cli_table_cell(table, cli_tint_of(word), word);
}

/* "  label    text", wrapped; nothing for an empty text. */
static void add_line(struct bm_strbuf *out, const char *label, const char *text)
{
	if (text[0] == '\0') {
		return;
	}
	bm_strbuf_printf(out, "  %-8s ", label);
	cli_text_wrapped(text, 11, 11, out);
}

static void add_lines(struct bm_strbuf *out, const char *label, const json_t *lines)
{
	size_t index;
	const json_t *line;

	json_array_foreach(lines, index, line)
	{
		add_line(out, index == 0 ? label : "", json_string_value(line));
	}
}

/* ---- the head: the machine as a whole ---- */

static void add_headline(const json_t *status, bool colour, struct bm_strbuf *out)
{
	char since[BM_CLOCK_TEXT_SIZE], uptime[BM_CLOCK_TEXT_SIZE];
	const char *state = cli_text_of(status, "state");

	bm_strbuf_puts(out, "The machine has been ");
	cli_tinted(cli_tint_of(state), colour, state, out);
	bm_strbuf_printf(out, " for %s", cli_text_span(status, "age_msec", since));
	bm_strbuf_printf(out, "  (bucardo-machine %s, pid %lld, up %s)\n",
			cli_text_of(status, "version"),
			(long long)json_integer_value(json_object_get(status, "pid")),
			cli_text_span(status, "uptime_msec", uptime));
}

/* What a person has to know; the rest is good to know. */
static void add_troubles(const json_t *status, struct bm_strbuf *out)
{
	const json_t *config = json_object_get(status, "config");
	const json_t *pgpass = json_object_get(status, "pgpass");
	const char *why = cli_text_of(status, "why");

	if (strncmp(why, "migration '", strlen("migration '")) == 0 &&
			strstr(why, "' is stuck in ") != NULL) {
		/* Its row, just below, says the rest and the mend. */
		char *brief = bm_strndup(why, strcspn(why, ":"));
		add_line(out, "why", brief);
		free(brief);
	} else {
		add_line(out, "why", why);
		add_line(out, "advice", cli_text_of(status, "advice"));
	}
	add_lines(out, "errors", json_object_get(config, "errors"));
	add_lines(out, "pgpass", json_object_get(pgpass, "warnings"));
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
					  : "nothing starts before it is mended");
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

/* ---- units ---- */

static const struct cli_column unit_columns[] = {
		{"UNIT", 24, false},
		{"STATE", 10, false},
		{"PID", 10, true},
		{"FOR", 16, false},
		{"RESTARTS", 8, true},
		{"LAST EXIT", 24, false},
};

static void add_unit_notes(struct cli_table *table, const json_t *unit)
{
	char span[BM_CLOCK_TEXT_SIZE];
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (!is_text(unit, "state", "ready")) {
		cli_table_note(table, "why", cli_text_of(unit, "why"));
	}
	if (json_is_integer(json_object_get(unit, "retry_in_msec"))) {
		bm_strbuf_printf(&text, "in %s (", cli_text_span(unit, "retry_in_msec", span));
		cli_text_failures(unit, "failures", &text);
		bm_strbuf_putc(&text, ')');
		cli_table_note(table, "next try", bm_strbuf_text(&text));
		bm_strbuf_clear(&text);
	}
	if (cli_text_of(unit, "stopped_by")[0] != '\0') {
		bm_strbuf_printf(&text,
				"%s at %s; `bucardo-machine service start %s` takes it back",
				cli_text_of(unit, "stopped_by"),
				cli_text_of(unit, "stopped_at"), cli_text_of(unit, "name"));
		cli_table_note(table, "stopped by", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}

static void add_unit(struct cli_table *table, const json_t *unit)
{
	char span[BM_CLOCK_TEXT_SIZE], pid[SMALL_TEXT] = "";
	const json_t *number = json_object_get(unit, "pid");

	if (json_is_integer(number)) {
		snprintf(pid, sizeof(pid), "%lld", (long long)json_integer_value(number));
	}
	cli_table_cell(table, CLI_PLAIN, cli_text_of(unit, "name"));
	add_state_cell(table, cli_text_of(unit, "state"));
	cli_table_cell(table, CLI_PLAIN, pid);
	cli_table_cell(table, CLI_PLAIN, cli_text_span(unit, "age_msec", span));
	add_number_cell(table, unit, "restarts", INT64_MAX);
	cli_table_cell(table, CLI_PLAIN, cli_text_of(unit, "last_exit"));
	add_unit_notes(table, unit);
}

void cli_render_units(const json_t *status, bool colour, struct bm_strbuf *out)
{
	struct cli_table *table = cli_table_create(unit_columns, BM_COUNT_OF(unit_columns));
	size_t index;
	const json_t *unit;

	json_array_foreach(json_object_get(status, "units"), index, unit)
	{
		add_unit(table, unit);
	}
	cli_table_print(table, colour, out);
	cli_table_destroy(table);
}

/* ---- databases ---- */

static const struct cli_column database_columns[] = {
		{"DATABASE", 32, false},
		{"ROLE", 10, false},
		{"REACHABLE", 10, false},
		{"FOR", 16, false},
};

static void render_databases(const json_t *databases, bool colour, struct bm_strbuf *out)
{
	struct cli_table *table = cli_table_create(
			database_columns, BM_COUNT_OF(database_columns));
	char span[BM_CLOCK_TEXT_SIZE];
	size_t index;
	const json_t *database;

	json_array_foreach(databases, index, database)
	{
		cli_table_cell(table, CLI_PLAIN, cli_text_of(database, "name"));
		cli_table_cell(table, CLI_PLAIN, cli_text_of(database, "role"));
		add_state_cell(table, cli_text_of(database, "reach"));
		cli_table_cell(table, CLI_PLAIN, cli_text_span(database, "age_msec", span));
		cli_table_note(table, "error", cli_text_of(database, "error"));
	}
	cli_table_print(table, colour, out);
	cli_table_destroy(table);
}

/* ---- syncs ---- */

static const struct cli_column sync_columns[] = {
		{"SYNC", 24, false},
		{"HEALTH", 12, false},
		{"FOR", 12, false},
		{"BACKLOG", 12, true},
		{"LAG", 12, false},
		{"LAST GOOD RUN", 18, false},
};

static void add_sync_notes(struct cli_table *table, const json_t *sync)
{
	const json_t *blocker = json_object_get(sync, "blocker");
	struct bm_strbuf text = BM_STRBUF_INIT;

	cli_table_note(table, "why", cli_text_of(sync, "why"));
	if (json_is_object(blocker)) {
		bm_strbuf_printf(&text, "pid %lld in database '%s': %s",
				(long long)json_integer_value(json_object_get(blocker, "pid")),
				cli_text_of(blocker, "database"),
				cli_text_of(blocker, "query"));
		cli_table_note(table, "blocker", bm_strbuf_text(&text));
	}
	if (is_text(sync, "health", "failing")) {
		cli_table_note(table, "error", cli_text_of(sync, "bad_text"));
	}
	cli_table_note(table, "advice", cli_text_of(sync, "advice"));
	bm_strbuf_finish(&text);
}

static void add_good_run(struct cli_table *table, const json_t *sync)
{
	char span[BM_CLOCK_TEXT_SIZE], text[SMALL_TEXT];
	bool known = json_is_integer(json_object_get(sync, "good_age_msec"));

	snprintf(text, sizeof(text), "%s ago", cli_text_span(sync, "good_age_msec", span));
	cli_table_cell(table, CLI_PLAIN, known ? text : "never");
}

static void add_sync(struct cli_table *table, const json_t *sync)
{
	char span[BM_CLOCK_TEXT_SIZE];
	const json_t *lag = json_object_get(sync, "lag_msec");

	cli_table_cell(table, CLI_PLAIN, cli_text_of(sync, "name"));
	add_state_cell(table, cli_text_of(sync, "health"));
	cli_table_cell(table, CLI_PLAIN, cli_text_span(sync, "age_msec", span));
	add_number_cell(table, sync, "backlog_rows", BM_BACKLOG_LIMIT);
	cli_table_cell(table, CLI_PLAIN,
			json_is_integer(lag) ? cli_text_span(sync, "lag_msec", span) : "?");
	add_good_run(table, sync);
	add_sync_notes(table, sync);
}

static void render_syncs(const json_t *syncs, bool colour, struct bm_strbuf *out)
{
	struct cli_table *table = cli_table_create(sync_columns, BM_COUNT_OF(sync_columns));
	size_t index;
	const json_t *sync;

	json_array_foreach(syncs, index, sync)
	{
		add_sync(table, sync);
	}
	cli_table_print(table, colour, out);
	cli_table_destroy(table);
}

/* ---- the whole ---- */

static void add_units(const json_t *status, bool colour, struct bm_strbuf *out)
{
	if (json_array_size(json_object_get(status, "units")) > 0) {
		cli_render_units(status, colour, out);
		bm_strbuf_putc(out, '\n');
	}
}

static void add_databases(const json_t *status, bool colour, struct bm_strbuf *out)
{
	const json_t *databases = json_object_get(status, "databases");

	if (json_array_size(databases) > 0) {
		render_databases(databases, colour, out);
		bm_strbuf_putc(out, '\n');
	}
}

static void add_no_syncs(const json_t *status, struct bm_strbuf *out)
{
	if (json_array_size(json_object_get(status, "migrations")) > 0) {
		bm_strbuf_puts(out,
				"No sync is known yet: migrations make theirs in capture.\n");
	} else if (is_text(status, "state", "ready")) {
		bm_strbuf_puts(out,
				"No sync is configured: nothing is replicated yet "
				"(`bucardo add sync` makes one).\n");
	} else {
		bm_strbuf_puts(out, "No sync is known (yet).\n");
	}
}

static void add_syncs(const json_t *status, bool colour, struct bm_strbuf *out)
{
	const json_t *syncs = json_object_get(status, "syncs");

	if (json_array_size(syncs) > 0) {
		render_syncs(syncs, colour, out);
	} else {
		add_no_syncs(status, out);
	}
}

/* Where there are migrations they come first: a small screen shows the top. */
void cli_render_status(const json_t *status, bool colour, struct bm_strbuf *out)
{
	const json_t *migrations = json_object_get(status, "migrations");

	add_headline(status, colour, out);
	add_troubles(status, out);
	if (json_array_size(migrations) > 0) {
		bm_strbuf_putc(out, '\n');
		cli_render_migrations(migrations, colour, out);
		bm_strbuf_putc(out, '\n');
		add_syncs(status, colour, out);
		bm_strbuf_putc(out, '\n');
		add_databases(status, colour, out);
		add_units(status, colour, out);
		add_places(status, out);
	} else {
		add_places(status, out);
		bm_strbuf_putc(out, '\n');
		add_units(status, colour, out);
		add_databases(status, colour, out);
		add_syncs(status, colour, out);
	}
}

void cli_render_event(const json_t *event, bool colour, struct bm_strbuf *out)
{
	const char *level = cli_text_of(event, "level");
	char padded[16];

	snprintf(padded, sizeof(padded), "%-5s", level);
	bm_strbuf_printf(out, "%s  ", cli_text_of(event, "at"));
	cli_tinted(cli_tint_of(level), colour, padded, out);
	bm_strbuf_puts(out, "  ");
	cli_text_harmless(cli_text_of(event, "subject"), 0, out);
	bm_strbuf_puts(out, ": ");
	cli_text_harmless(cli_text_of(event, "text"), 0, out);
	bm_strbuf_putc(out, '\n');
}
