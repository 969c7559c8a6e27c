/* The tables of `status`: units, databases, syncs; who was not told; and a line of `events`. */
#include "client/terminal/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/bucardo.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/words.h"
#include "client/terminal/table.h"
#include "client/terminal/text.h"

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
		bm_words_number(&text, json_integer_value(value));
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

/* ---- units ---- */

static const struct cli_column unit_columns[] = {
		{"UNIT", 0, false},
		{"STATE", 0, false},
		{"PID", 0, true},
		{"FOR", 0, false},
		{"RESTARTS", 0, true},
		{"LAST EXIT", 0, false},
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

void cli_render_unit_list(const json_t *units, bool colour, struct bm_strbuf *out)
{
	struct cli_table *table = cli_table_create(unit_columns, BM_COUNT_OF(unit_columns));
	size_t index;
	const json_t *unit;

	json_array_foreach(units, index, unit)
	{
		add_unit(table, unit);
	}
	cli_table_print(table, colour, out);
	cli_table_destroy(table);
}

void cli_render_units(const json_t *status, bool colour, struct bm_strbuf *out)
{
	cli_render_unit_list(json_object_get(status, "units"), colour, out);
}

/* ---- databases ---- */

static const struct cli_column database_columns[] = {
		{"DATABASE", 0, false},
		{"PART", 0, false},
		{"REACHABLE", 0, false},
		{"FOR", 0, false},
};

void cli_render_databases(const json_t *databases, bool colour, struct bm_strbuf *out)
{
	struct cli_table *table = cli_table_create(
			database_columns, BM_COUNT_OF(database_columns));
	char span[BM_CLOCK_TEXT_SIZE];
	size_t index;
	const json_t *database;

	json_array_foreach(databases, index, database)
	{
		cli_table_cell(table, CLI_PLAIN, cli_text_of(database, "name"));
		cli_table_cell(table, CLI_PLAIN, cli_text_of(database, "part"));
		add_state_cell(table, cli_text_of(database, "reach"));
		cli_table_cell(table, CLI_PLAIN, cli_text_span(database, "age_msec", span));
		cli_table_note(table, "error", cli_text_of(database, "error"));
	}
	cli_table_print(table, colour, out);
	cli_table_destroy(table);
}

/* ---- syncs ---- */

static const struct cli_column sync_columns[] = {
		{"SYNC", 0, false},
		{"HEALTH", 0, false},
		{"FOR", 0, false},
		{"BACKLOG", 0, true},
		{"LAG", 0, false},
		{"LAST GOOD RUN", 0, false},
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

void cli_render_syncs(const json_t *syncs, bool colour, struct bm_strbuf *out)
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

/* ---- receivers ---- */

/* The others are counted. */
#define RECEIVERS_SHOWN 2

static void add_receiver(const json_t *receiver, struct bm_strbuf *out)
{
	const char *since = cli_text_of(receiver, "failing_since");

	bm_strbuf_printf(out, "%s%s was NOT told", out->length > 0 ? "; " : "",
			cli_text_of(receiver, "name"));
	if (strlen(since) > 19) {
		bm_strbuf_printf(out, " since %.10s %.8s UTC", since, since + 11);
	}
	bm_strbuf_puts(out, " (");
	cli_text_failures(receiver, "failures", out);
	bm_strbuf_printf(out, "): %s", cli_text_of(receiver, "why"));
}

void cli_receivers_sentence(const json_t *receivers, struct bm_strbuf *out)
{
	size_t index, failing = 0;
	const json_t *one;

	json_array_foreach(receivers, index, one)
	{
		if (json_integer_value(json_object_get(one, "failures")) > 0 &&
				++failing <= RECEIVERS_SHOWN) {
			add_receiver(one, out);
		}
	}
	if (failing > RECEIVERS_SHOWN) {
		bm_strbuf_printf(out, "; and %zu more: `bucardo-machine notify`",
				failing - RECEIVERS_SHOWN);
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

/* ---- where there is no sync ---- */

static bool is_torn_down(const json_t *migration)
{
	return is_text(migration, "phase", "teardown") && is_text(migration, "status", "done");
}

/* What they had went with them. */
static bool are_all_torn_down(const json_t *migrations)
{
	size_t count = json_array_size(migrations);

	for (size_t i = 0; i < count; i++) {
		if (!is_torn_down(json_array_get(migrations, i))) {
			return false;
		}
	}
	return count > 0;
}

/* Those of a migration are made in capture; after that, or before the journal is read, they are
 * only not looked at yet. */
static bool has_made_syncs(const json_t *migrations)
{
	size_t index, each;
	const json_t *migration, *phase;

	json_array_foreach((json_t *)(uintptr_t)migrations, index, migration)
	{
		json_array_foreach(json_object_get(migration, "phases"), each, phase)
		{
			const char *state = cli_text_of(phase, "state");
			if (!is_torn_down(migration) && is_text(phase, "phase", "capture") &&
					(strcmp(state, "done") == 0 ||
							strcmp(state, "unknown") == 0)) {
				return true;
			}
		}
	}
	return false;
}

void cli_render_no_syncs(const json_t *status, struct bm_strbuf *out)
{
	if (json_array_size(json_object_get(status, "syncs")) > 0) {
		return;
	}
	if (are_all_torn_down(json_object_get(status, "migrations"))) {
		cli_text_wrapped("No sync is left: the teardown has removed them.", 0, 0, out);
	} else if (has_made_syncs(json_object_get(status, "migrations"))) {
		bm_strbuf_puts(out, "The syncs were not looked at yet.\n");
	} else if (json_array_size(json_object_get(status, "migrations")) > 0) {
		cli_text_wrapped("No sync is known yet: migrations make theirs in capture.", 0,
				0, out);
	} else if (is_text(status, "state", "ready")) {
		cli_text_wrapped(
				"No sync is configured: nothing is replicated yet (`bucardo add "
				"sync` makes one).",
				0, 0, out);
	} else {
		bm_strbuf_puts(out, "No sync is known (yet).\n");
	}
	bm_strbuf_putc(out, '\n');
}
