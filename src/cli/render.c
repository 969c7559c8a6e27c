/* The screen of `status`, from top to bottom. */
#include "cli/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "cli/table.h"

/* Room for a number with separators, a span, a pid. */
#define SMALL_TEXT 48

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text != NULL ? text : "";
}

static bool is_text(const json_t *object, const char *member, const char *text)
{
	return strcmp(text_of(object, member), text) == 0;
}

void cli_render_number(int64_t number, struct bm_strbuf *out)
{
	char digits[SMALL_TEXT];
	int length = snprintf(digits, sizeof(digits), "%lld", (long long)number);

	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-') {
			bm_strbuf_putc(out, ',');
		}
		bm_strbuf_putc(out, digits[i]);
	}
}

/* Bytes of the next word, or as much of it as one line can hold. */
static size_t piece_length(const char *word, size_t room)
{
	size_t width = 0, length = 0;

	for (; word[length] != '\0' && word[length] != ' '; length++) {
		width += ((unsigned char)word[length] & 0xc0) != 0x80;
		if (width > room) {
			break;
		}
	}
	return length;
}

void cli_render_wrapped(const char *text, size_t column, size_t indent, struct bm_strbuf *out)
{
	struct bm_strbuf clean = BM_STRBUF_INIT;
	bool fresh = true; /* nothing stands on this line yet */

	cli_harmless(text, 0, &clean);
	const char *p = bm_strbuf_text(&clean) + strspn(bm_strbuf_text(&clean), " ");
	while (*p != '\0') {
		size_t length = piece_length(p, CLI_COLUMNS - indent);
		char *piece = bm_strndup(p, length);
		size_t width = cli_width(piece);
		if (!fresh && column + 1 + width > CLI_COLUMNS) {
			bm_strbuf_printf(out, "\n%*s", (int)indent, "");
			column = indent;
			fresh = true;
		}
		bm_strbuf_printf(out, "%s%s", fresh ? "" : " ", piece);
		column += width + !fresh;
		fresh = false;
		p += length + strspn(p + length, " ");
		free(piece);
	}
	bm_strbuf_putc(out, '\n');
	bm_strbuf_finish(&clean);
}

/* ---- small parts ---- */

const char *cli_span_of(const json_t *object, const char *member, char *out)
{
	const json_t *value = json_object_get(object, member);

	if (!json_is_integer(value) || json_integer_value(value) < 0) {
		return "-";
	}
	return bm_clock_format_span((uint64_t)json_integer_value(value), out);
}

static void add_number_cell(struct cli_table *table, const json_t *object, const char *member,
		const char *none)
{
	const json_t *value = json_object_get(object, member);
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (json_is_integer(value)) {
		cli_render_number(json_integer_value(value), &text);
	} else {
		bm_strbuf_puts(&text, none);
	}
	cli_table_cell(table, CLI_PLAIN, bm_strbuf_text(&text));
	bm_strbuf_finish(&text);
}

enum cli_tint cli_tint_of(const char *word)
{
	static const struct {
		const char *word;
		enum cli_tint tint;
	} tints[] = {
			{"ready", CLI_GOOD},
			{"idle", CLI_GOOD},
			{"running", CLI_GOOD},
			{"yes", CLI_GOOD},
			{"starting", CLI_BUSY},
			{"stopping", CLI_BUSY},
			{"catching-up", CLI_BUSY},
			{"degraded", CLI_BUSY},
			{"blocked", CLI_BAD},
			{"unreachable", CLI_BAD},
			{"failing", CLI_BAD},
			{"stalled", CLI_BAD},
			{"holding", CLI_BAD},
			{"backoff", CLI_BAD},
			{"failed", CLI_BAD},
			{"no", CLI_BAD},
			{"done", CLI_GOOD},
			{"waiting", CLI_BUSY},
			{"paused", CLI_BUSY},
			{"stops", CLI_BAD},
			{"degrades", CLI_BUSY},
			{"warn", CLI_BUSY},
			{"error", CLI_BAD},
	};

	for (size_t i = 0; i < BM_COUNT_OF(tints); i++) {
		if (strcmp(tints[i].word, word) == 0) {
			return tints[i].tint;
		}
	}
	return CLI_PLAIN;
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
	cli_render_wrapped(text, 11, 11, out);
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
	const char *state = text_of(status, "state");

	bm_strbuf_puts(out, "The machine has been ");
	cli_tinted(cli_tint_of(state), colour, state, out);
	bm_strbuf_printf(out, " for %s", cli_span_of(status, "age_msec", since));
	bm_strbuf_printf(out, "  (bucardo-machine %s, pid %lld, up %s)\n",
			text_of(status, "version"),
			(long long)json_integer_value(json_object_get(status, "pid")),
			cli_span_of(status, "uptime_msec", uptime));
}

static void add_facts(const json_t *status, struct bm_strbuf *out)
{
	const json_t *config = json_object_get(status, "config");
	struct bm_strbuf line = BM_STRBUF_INIT;

	add_line(out, "why", text_of(status, "why"));
	add_line(out, "advice", text_of(status, "advice"));
	bm_strbuf_printf(&line, "%s, found at the start: %s", text_of(status, "volume"),
			text_of(status, "found"));
	add_line(out, "volume", bm_strbuf_text(&line));
	bm_strbuf_clear(&line);
	if (is_text(config, "state", "default")) {
		bm_strbuf_printf(
				&line, "all defaults, there is no %s", text_of(config, "path"));
	} else {
		bm_strbuf_printf(&line, "%s, %s", text_of(config, "path"),
				is_text(config, "state", "rejected")
						? "REJECTED: the configuration before it is kept"
						: text_of(config, "state"));
	}
	add_line(out, "config", bm_strbuf_text(&line));
	add_lines(out, "errors", json_object_get(config, "errors"));
	add_lines(out, "pgpass",
			json_object_get(json_object_get(status, "pgpass"), "warnings"));
	bm_strbuf_finish(&line);
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
		cli_table_note(table, "why", text_of(unit, "why"));
	}
	if (json_is_integer(json_object_get(unit, "retry_in_msec"))) {
		bm_strbuf_printf(&text, "in %s (failed %lld times in a row)",
				cli_span_of(unit, "retry_in_msec", span),
				(long long)json_integer_value(
						json_object_get(unit, "failures")));
		cli_table_note(table, "next try", bm_strbuf_text(&text));
		bm_strbuf_clear(&text);
	}
	if (text_of(unit, "stopped_by")[0] != '\0') {
		bm_strbuf_printf(&text,
				"%s at %s; `bucardo-machine service start %s` takes it back",
				text_of(unit, "stopped_by"), text_of(unit, "stopped_at"),
				text_of(unit, "name"));
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
	cli_table_cell(table, CLI_PLAIN, text_of(unit, "name"));
	add_state_cell(table, text_of(unit, "state"));
	cli_table_cell(table, CLI_PLAIN, pid);
	cli_table_cell(table, CLI_PLAIN, cli_span_of(unit, "age_msec", span));
	add_number_cell(table, unit, "restarts", "0");
	cli_table_cell(table, CLI_PLAIN, text_of(unit, "last_exit"));
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
		cli_table_cell(table, CLI_PLAIN, text_of(database, "name"));
		cli_table_cell(table, CLI_PLAIN, text_of(database, "role"));
		add_state_cell(table, text_of(database, "reach"));
		cli_table_cell(table, CLI_PLAIN, cli_span_of(database, "age_msec", span));
		cli_table_note(table, "error", text_of(database, "error"));
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

	cli_table_note(table, "why", text_of(sync, "why"));
	if (json_is_object(blocker)) {
		bm_strbuf_printf(&text, "pid %lld in database '%s': %s",
				(long long)json_integer_value(json_object_get(blocker, "pid")),
				text_of(blocker, "database"), text_of(blocker, "query"));
		cli_table_note(table, "blocker", bm_strbuf_text(&text));
	}
	if (is_text(sync, "health", "failing")) {
		cli_table_note(table, "error", text_of(sync, "bad_text"));
	}
	cli_table_note(table, "advice", text_of(sync, "advice"));
	bm_strbuf_finish(&text);
}

static void add_good_run(struct cli_table *table, const json_t *sync)
{
	char span[BM_CLOCK_TEXT_SIZE], text[SMALL_TEXT];
	bool known = json_is_integer(json_object_get(sync, "good_age_msec"));

	snprintf(text, sizeof(text), "%s ago", cli_span_of(sync, "good_age_msec", span));
	cli_table_cell(table, CLI_PLAIN, known ? text : "never");
}

static void add_sync(struct cli_table *table, const json_t *sync)
{
	char span[BM_CLOCK_TEXT_SIZE];
	const json_t *lag = json_object_get(sync, "lag_msec");

	cli_table_cell(table, CLI_PLAIN, text_of(sync, "name"));
	add_state_cell(table, text_of(sync, "health"));
	cli_table_cell(table, CLI_PLAIN, cli_span_of(sync, "age_msec", span));
	add_number_cell(table, sync, "backlog_rows", "?");
	cli_table_cell(table, CLI_PLAIN,
			json_is_integer(lag) ? cli_span_of(sync, "lag_msec", span) : "?");
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

void cli_render_status(const json_t *status, bool colour, struct bm_strbuf *out)
{
	const json_t *databases = json_object_get(status, "databases");
	const json_t *migrations = json_object_get(status, "migrations");
	const json_t *syncs = json_object_get(status, "syncs");

	add_headline(status, colour, out);
	add_facts(status, out);
	bm_strbuf_putc(out, '\n');
	if (json_array_size(json_object_get(status, "units")) > 0) {
		cli_render_units(status, colour, out);
		bm_strbuf_putc(out, '\n');
	}
	if (json_array_size(databases) > 0) {
		render_databases(databases, colour, out);
		bm_strbuf_putc(out, '\n');
	}
	if (json_array_size(migrations) > 0) {
		cli_render_migrations(migrations, colour, out);
		bm_strbuf_putc(out, '\n');
	}
	if (json_array_size(syncs) > 0) {
		render_syncs(syncs, colour, out);
	} else if (json_array_size(migrations) > 0) {
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

void cli_render_event(const json_t *event, bool colour, struct bm_strbuf *out)
{
	const char *level = text_of(event, "level");
	char padded[16];

	snprintf(padded, sizeof(padded), "%-5s", level);
	bm_strbuf_printf(out, "%s  ", text_of(event, "at"));
	cli_tinted(cli_tint_of(level), colour, padded, out);
	bm_strbuf_puts(out, "  ");
	cli_harmless(text_of(event, "subject"), 0, out);
	bm_strbuf_puts(out, ": ");
	cli_harmless(text_of(event, "text"), 0, out);
	bm_strbuf_putc(out, '\n');
}
