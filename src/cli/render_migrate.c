/* Migrations on the screen of `status`. */
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/bucardo.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/migrate.h"
#include "cli/render.h"
#include "cli/text.h"

/* Whole seconds, at least one: what changes ten times a second nobody can read. */
static const char *seconds_of(const json_t *msec, char span[BM_CLOCK_TEXT_SIZE])
{
	uint64_t seconds = ((uint64_t)json_integer_value(msec) + 999) / 1000;

	return bm_clock_format_span((seconds > 0 ? seconds : 1) * 1000, span);
}

static void say_progress(const json_t *progress, struct bm_strbuf *out)
{
	const json_t *percent = json_object_get(progress, "percent");
	const json_t *total = json_object_get(progress, "total");
	const json_t *rate = json_object_get(progress, "rate");
	const char *unit = cli_text_of(progress, "unit");
	char span[BM_CLOCK_TEXT_SIZE];

	int64_t done = json_integer_value(json_object_get(progress, "done"));
	if (done == 0 && !json_is_integer(total)) {
		return; /* it only begins to know what there is */
	}
	if (json_is_integer(total) && strcmp(unit, "bytes") != 0) {
		cli_text_number(done, out);
	} else {
		cli_text_amount(done, unit, out);
	}
	if (json_is_integer(total)) {
		bm_strbuf_puts(out, " of ");
		cli_text_amount(json_integer_value(total), unit, out);
		bm_strbuf_printf(out, ", %lld %%", (long long)json_integer_value(percent));
	}
	if (json_is_integer(rate)) {
		bm_strbuf_puts(out, ", ");
		cli_text_amount(json_integer_value(rate), unit, out);
		bm_strbuf_puts(out, "/s");
	}
	if (json_is_integer(json_object_get(progress, "eta_msec"))) {
		bm_strbuf_printf(out, ", done in %s",
				seconds_of(json_object_get(progress, "eta_msec"), span));
	}
}

/* ---- status ---- */

static const struct cli_column columns[] = {
		{"MIGRATION", 31, false},
		{"PHASE", 10, false},
		{"STATUS", 8, false},
		{"FOR", 16, false},
		{"UNTIL", 10, false},
		{"PROGRESS", 8, true},
};

#define STOPS_SHOWN 5

/* What keeps it from going on, and the mend. */
static void add_stops(struct cli_table *table, const json_t *findings)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	size_t index, shown = 0;
	const json_t *finding;

	json_array_foreach(findings, index, finding)
	{
		if (strcmp(cli_text_of(finding, "severity"), "stops") == 0 &&
				shown++ < STOPS_SHOWN) {
			const char *mend = cli_text_of(finding, "mend");
			bm_strbuf_clear(&text);
			bm_strbuf_printf(&text, "%s: %s%s%s", cli_text_of(finding, "object"),
					cli_text_of(finding, "why"),
					mend[0] != '\0' ? "; mend: " : "", mend);
			cli_table_note(table, "stops", bm_strbuf_text(&text));
		}
	}
	bm_strbuf_finish(&text);
}

static void add_findings(struct cli_table *table, const json_t *migration)
{
	const json_t *findings = json_object_get(migration, "findings");
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (strcmp(cli_text_of(migration, "phase"), "preflight") == 0) {
		add_stops(table, findings);
	}
	if (json_array_size(findings) > 0) {
		bm_strbuf_printf(&text,
				"%zu of preflight; `bucardo-machine plan %s` shows them",
				json_array_size(findings), cli_text_of(migration, "name"));
		cli_table_note(table, "findings", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}

/* ---- bars ---- */

#define BAR_LEAST 10
#define BAR_MOST 40
#define NAME_MOST 40
#define PARTS_SHOWN 6

static void add_bar(int64_t percent, size_t cells, struct bm_strbuf *out)
{
	size_t full = (size_t)percent * cells / 100;

	bm_strbuf_putc(out, '[');
	for (size_t i = 0; i < cells; i++) {
		bm_strbuf_putc(out, i < full ? '#' : '.');
	}
	bm_strbuf_putc(out, ']');
}

static size_t bar_cells(size_t taken)
{
	size_t room = cli_text_columns();
	size_t cells = room > taken + BAR_LEAST ? room - taken : BAR_LEAST;

	return cells < BAR_MOST ? cells : BAR_MOST;
}

static size_t longest_name(const json_t *parts)
{
	size_t index, longest = 0;
	const json_t *part;

	json_array_foreach(parts, index, part)
	{
		size_t width = cli_text_width(cli_text_of(part, "name"));
		longest = width > longest && index < PARTS_SHOWN ? width : longest;
	}
	return longest < NAME_MOST ? longest : NAME_MOST;
}

/* "sorting, 12 s" for an object, "1.2 GB of 2.0 GB" for rows. */
static void say_part(const json_t *part, const char *phase, struct bm_strbuf *out)
{
	char span[BM_CLOCK_TEXT_SIZE];
	const char *step = cli_text_of(part, "step");

	if (strcmp(phase, "copy") == 0) {
		cli_text_amount(json_integer_value(json_object_get(part, "done")), "bytes",
				out);
		bm_strbuf_puts(out, " of ");
		cli_text_amount(json_integer_value(json_object_get(part, "total")), "bytes",
				out);
		return;
	}
	cli_text_harmless(step, 0, out);
	bm_strbuf_printf(out, "%s%s", step[0] != '\0' ? ", " : "",
			seconds_of(json_object_get(part, "age_msec"), span));
}

static void add_part(
		struct cli_table *table, const json_t *part, const char *phase, size_t width)
{
	int64_t percent = json_integer_value(json_object_get(part, "percent"));
	struct bm_strbuf name = BM_STRBUF_INIT, line = BM_STRBUF_INIT;

	cli_text_harmless(cli_text_of(part, "name"), width, &name);
	bm_strbuf_printf(&line, "%s%*s  ", bm_strbuf_text(&name),
			(int)(width - cli_text_width(bm_strbuf_text(&name))), "");
	/* The rest of the line: indent, brackets, percent, and an amount or a step. */
	add_bar(percent, bar_cells(width + (strcmp(phase, "copy") == 0 ? 38 : 45)), &line);
	bm_strbuf_printf(&line, " %3lld %%  ", (long long)percent);
	say_part(part, phase, &line);
	cli_table_line(table, bm_strbuf_text(&line));
	bm_strbuf_finish(&name);
	bm_strbuf_finish(&line);
}

static void add_parts(struct cli_table *table, const json_t *migration)
{
	const json_t *parts = json_object_get(
			json_object_get(migration, "progress"), "in_flight");
	size_t index, width = longest_name(parts);
	const json_t *part;

	json_array_foreach(parts, index, part)
	{
		if (index < PARTS_SHOWN) {
			add_part(table, part, cli_text_of(migration, "phase"), width);
		}
	}
	if (json_array_size(parts) > PARTS_SHOWN) {
		struct bm_strbuf more = BM_STRBUF_INIT;
		bm_strbuf_printf(&more, "and %zu more", json_array_size(parts) - PARTS_SHOWN);
		cli_table_line(table, bm_strbuf_text(&more));
		bm_strbuf_finish(&more);
	}
}

/* ---- notes ---- */

static void say_pieces(const json_t *progress, const char *phase, struct bm_strbuf *out)
{
	const json_t *done = json_object_get(progress, "pieces_done");
	const json_t *total = json_object_get(progress, "pieces_total");
	const json_t *rows = json_object_get(progress, "rows");

	if (json_is_integer(done) && json_is_integer(total)) {
		cli_text_number(json_integer_value(done), out);
		bm_strbuf_puts(out, " of ");
		cli_text_amount(json_integer_value(total),
				strcmp(phase, "copy") == 0 ? "chunks" : "objects", out);
	}
	if (json_is_integer(rows)) {
		bm_strbuf_puts(out, out->length > 0 ? ", " : "");
		cli_text_amount(json_integer_value(rows), "rows", out);
	}
}

static void add_running(struct cli_table *table, const json_t *migration)
{
	const json_t *progress = json_object_get(migration, "progress");
	const json_t *percent = json_object_get(progress, "percent");
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (json_is_integer(percent)) {
		add_bar(json_integer_value(percent), bar_cells(66), &text);
		bm_strbuf_puts(&text, "  ");
	}
	say_progress(progress, &text);
	if (text.length > 0) {
		cli_table_line(table, bm_strbuf_text(&text));
	}
	bm_strbuf_clear(&text);
	bm_strbuf_puts(&text, cli_text_of(progress, "text"));
	if (json_is_integer(json_object_get(progress, "pieces_total"))) {
		bm_strbuf_puts(&text, text.length > 0 ? ": " : "");
		struct bm_strbuf pieces = BM_STRBUF_INIT;
		say_pieces(progress, cli_text_of(migration, "phase"), &pieces);
		bm_strbuf_puts(&text, bm_strbuf_text(&pieces));
		bm_strbuf_finish(&pieces);
	}
	cli_table_note(table, "now", bm_strbuf_text(&text));
	add_parts(table, migration);
	bm_strbuf_finish(&text);
}

static void say_trend(const json_t *replication, struct bm_strbuf *out)
{
	const char *trend = cli_text_of(replication, "trend");
	int64_t rate = json_integer_value(json_object_get(replication, "shrink_rate"));
	char span[BM_CLOCK_TEXT_SIZE];

	if (strcmp(trend, "shrinks") == 0) {
		bm_strbuf_printf(out, ", catches up in %s",
				seconds_of(json_object_get(replication, "catch_up_msec"),
						span));
	} else if (strcmp(trend, "grows") == 0) {
		bm_strbuf_puts(out, ", catches up: not at this rate");
		if (rate < 0) {
			bm_strbuf_puts(out, ": it grows by ");
			cli_text_amount(-rate, "rows/s", out);
		}
	} else if (strcmp(trend, "unknown") == 0) {
		bm_strbuf_puts(out, ", too early to say where it goes");
	}
}

static void say_lag(const json_t *replication, struct bm_strbuf *out)
{
	const json_t *rows = json_object_get(replication, "backlog_rows");
	char span[BM_CLOCK_TEXT_SIZE];

	if (!json_is_integer(rows)) {
		bm_strbuf_puts(out, "not known");
	} else if (json_integer_value(rows) == 0) {
		bm_strbuf_puts(out, "none, nothing waits");
	} else {
		bm_strbuf_printf(out, "%s, ", cli_text_span(replication, "lag_msec", span));
		cli_text_amount(json_integer_value(rows),
				json_integer_value(rows) == 1 ? "row waits"
						: json_integer_value(rows) >= BM_BACKLOG_LIMIT
						? "rows or more wait"
						: "rows wait",
				out);
		say_trend(replication, out);
	}
}

/* Before its syncs are released what waits is only captured. */
static void add_replication(struct cli_table *table, const json_t *migration)
{
	const json_t *replication = json_object_get(migration, "replication");
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (!json_is_object(replication)) {
		return;
	}
	if (!json_is_true(json_object_get(migration, "released"))) {
		int64_t rows = json_integer_value(json_object_get(replication, "backlog_rows"));
		cli_text_amount(rows, rows == 1 ? "changed row waits" : "changed rows wait",
				&text);
		bm_strbuf_puts(&text, " until it replicates");
		cli_table_note(table, "captured", rows > 0 ? bm_strbuf_text(&text) : "");
	} else {
		say_lag(replication, &text);
		bm_strbuf_puts(&text, "; ");
		cli_text_count(replication, "healed_rows", "row healed", "rows healed", &text);
		bm_strbuf_puts(&text, "; ");
		cli_text_count(replication, "conflicts", "conflict", "conflicts", &text);
		cli_table_note(table, "lag", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}

static void add_notes(struct cli_table *table, const json_t *migration)
{
	char span[BM_CLOCK_TEXT_SIZE];
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (strcmp(cli_text_of(migration, "status"), "running") == 0) {
		add_running(table, migration);
	}
	add_replication(table, migration);
	cli_table_note(table, "why", cli_text_of(migration, "why"));
	cli_table_note(table, "mend", cli_text_of(migration, "mend"));
	if (json_is_integer(json_object_get(migration, "retry_in_msec"))) {
		bm_strbuf_printf(&text, "in %s (%s, ",
				cli_text_span(migration, "retry_in_msec", span),
				cli_text_of(migration, "class"));
		cli_text_failures(migration, "attempt", &text);
		bm_strbuf_putc(&text, ')');
		cli_table_note(table, "next try", bm_strbuf_text(&text));
	}
	cli_render_tending(table, json_object_get(migration, "tending"));
	if (strcmp(cli_text_of(migration, "status"), "failed") == 0 &&
			strcmp(cli_text_of(migration, "class"), "internal") == 0) {
		bm_strbuf_clear(&text);
		bm_strbuf_printf(&text,
				"none by itself (internal); `bucardo-machine resume %s` tries again",
				cli_text_of(migration, "name"));
		cli_table_note(table, "next try", bm_strbuf_text(&text));
	}
	add_findings(table, migration);
	bm_strbuf_finish(&text);
}

/* Where it is; one that is done has ended with its last phase, the next is not asked for. */
static const char *phase_shown(const json_t *migration, const char *status)
{
	const char *shown = cli_text_of(migration, "phase");
	size_t index;
	const json_t *phase;

	json_array_foreach(json_object_get(migration, "phases"), index, phase)
	{
		if (strcmp(status, "done") == 0 &&
				strcmp(cli_text_of(phase, "state"), "done") == 0) {
			shown = cli_text_of(phase, "phase");
		}
	}
	return shown;
}

static void add_migration(struct cli_table *table, const json_t *migration)
{
	const json_t *percent = json_object_get(
			json_object_get(migration, "progress"), "percent");
	const char *status = cli_text_of(migration, "status");
	char span[BM_CLOCK_TEXT_SIZE], text[16] = "";

	if (json_is_integer(percent)) {
		snprintf(text, sizeof(text), "%lld %%", (long long)json_integer_value(percent));
	}
	cli_table_cell(table, CLI_PLAIN, cli_text_of(migration, "name"));
	cli_table_cell(table, CLI_PLAIN, phase_shown(migration, status));
	cli_table_cell(table, cli_tint_of(status), status);
	cli_table_cell(table, CLI_PLAIN, cli_text_span(migration, "age_msec", span));
	cli_table_cell(table, CLI_PLAIN, cli_text_of(migration, "until"));
	cli_table_cell(table, CLI_PLAIN, text);
	add_notes(table, migration);
}

void cli_render_migrations(const json_t *migrations, bool colour, struct bm_strbuf *out)
{
	struct cli_table *table = cli_table_create(columns, BM_COUNT_OF(columns));
	size_t index;
	const json_t *migration;

	json_array_foreach(migrations, index, migration)
	{
		add_migration(table, migration);
	}
	cli_table_print(table, colour, out);
	cli_table_destroy(table);
}
