/* How far a phase is: numbers, bars, and what is under way. */
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/words.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

#define BAR_LEAST 10
#define BAR_MOST 40
#define PARTS_SHOWN 6
#define INDENT 4

const char *cli_seconds(const json_t *msec, char span[BM_CLOCK_TEXT_SIZE])
{
	uint64_t seconds = ((uint64_t)json_integer_value(msec) + 999) / 1000;

	return bm_clock_format_span((seconds > 0 ? seconds : 1) * 1000, span);
}

/* "2.0 kB of 4.0 kB, 50 %, 1.0 kB/s, done in 2 s". */
static void print_progress(const json_t *progress, struct bm_strbuf *out)
{
	const json_t *total = json_object_get(progress, "total");
	const json_t *rate = json_object_get(progress, "rate");
	const char *unit = cli_text_of(progress, "unit");
	int64_t done = json_integer_value(json_object_get(progress, "done"));
	struct bm_strbuf speed = BM_STRBUF_INIT;
	char span[BM_CLOCK_TEXT_SIZE];

	if (done == 0 && !json_is_integer(total)) {
		return; /* it only begins to know what there is */
	}
	if (json_is_integer(total) && strcmp(unit, "bytes") != 0) {
		bm_words_number(out, done);
	} else {
		cli_text_amount(done, unit, out);
	}
	if (json_is_integer(total)) {
		bm_strbuf_puts(out, " of ");
		cli_text_amount(json_integer_value(total), unit, out);
		bm_strbuf_printf(out, ", %lld %%",
				(long long)json_integer_value(
						json_object_get(progress, "percent")));
	}
	if (cli_text_rate(json_integer_value(rate), unit, &speed)) {
		bm_strbuf_printf(out, ", %s", bm_strbuf_text(&speed));
	}
	if (json_is_integer(json_object_get(progress, "eta_msec"))) {
		bm_strbuf_printf(out, ", done in %s",
				cli_seconds(json_object_get(progress, "eta_msec"), span));
	}
	bm_strbuf_finish(&speed);
}

/* ---- bars ---- */

static void add_bar(int64_t percent, size_t cells, struct bm_strbuf *out)
{
	size_t full = (size_t)percent * cells / 100;

	bm_strbuf_putc(out, '[');
	for (size_t i = 0; i < cells; i++) {
		bm_strbuf_putc(out, i < full ? '#' : '.');
	}
	bm_strbuf_putc(out, ']');
}

/* What is left of a line beside `taken` characters; 0: no room for a bar. */
static size_t bar_cells(size_t taken)
{
	size_t room = cli_text_columns();
	size_t cells = room > taken ? room - taken : 0;

	return cells < BAR_LEAST ? 0 : cells < BAR_MOST ? cells : BAR_MOST;
}

/* What all of it takes at least, when its numbers grow: a bar that jumps says nothing. */
#define TEXT_LEAST 54

static void add_whole(struct cli_table *table, const json_t *progress)
{
	const json_t *percent = json_object_get(progress, "percent");
	struct bm_strbuf text = BM_STRBUF_INIT, line = BM_STRBUF_INIT;

	print_progress(progress, &text);
	size_t width = cli_text_width(bm_strbuf_text(&text));
	size_t cells = bar_cells(INDENT + 4 + (width > TEXT_LEAST ? width : TEXT_LEAST));
	if (json_is_integer(percent) && cells > 0) {
		add_bar(json_integer_value(percent), cells, &line);
		bm_strbuf_puts(&line, "  ");
	}
	bm_strbuf_puts(&line, bm_strbuf_text(&text));
	if (text.length > 0 || line.length > 0) {
		cli_table_text(table, bm_strbuf_text(&line));
	}
	bm_strbuf_finish(&text);
	bm_strbuf_finish(&line);
}

/* ---- what is under way ---- */

static size_t longest_name(const json_t *parts)
{
	size_t index, longest = 0;
	const json_t *part;

	json_array_foreach(parts, index, part)
	{
		size_t width = cli_text_width(cli_text_of(part, "name"));
		longest = width > longest && index < PARTS_SHOWN ? width : longest;
	}
	return longest;
}

/* "sorting, 12 s" for an object, "1.2 GB of 2.0 GB" for rows. */
static void print_part(const json_t *part, const char *phase, struct bm_strbuf *out)
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
			cli_seconds(json_object_get(part, "age_msec"), span));
}

/* Name, bar and amount; where a name leaves no room for them they stand below it. */
static void add_part(
		struct cli_table *table, const json_t *part, const char *phase, size_t width)
{
	int64_t percent = json_integer_value(json_object_get(part, "percent"));
	struct bm_strbuf line = BM_STRBUF_INIT;
	/* Indent, brackets, percent, and an amount or a step. */
	size_t rest = INDENT + (strcmp(phase, "copy") == 0 ? 34 : 41);
	size_t cells = bar_cells(width + rest);

	if (cells > 0) {
		cli_text_harmless(cli_text_of(part, "name"), 0, &line);
		bm_strbuf_printf(&line, "%*s  ",
				(int)(width - cli_text_width(bm_strbuf_text(&line))), "");
	} else {
		cli_table_text(table, cli_text_of(part, "name"));
		bm_strbuf_puts(&line, "  ");
		cells = bar_cells(rest) > 0 ? bar_cells(rest) : BAR_LEAST;
	}
	add_bar(percent, cells, &line);
	bm_strbuf_printf(&line, " %3lld %%  ", (long long)percent);
	print_part(part, phase, &line);
	cli_table_line(table, bm_strbuf_text(&line));
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

/* "copying rows: 2 of 5 chunks, 1,234 rows". */
static void print_now(const json_t *progress, const char *phase, struct bm_strbuf *out)
{
	const json_t *done = json_object_get(progress, "pieces_done");
	const json_t *total = json_object_get(progress, "pieces_total");
	const json_t *rows = json_object_get(progress, "rows");

	bm_strbuf_puts(out, cli_text_of(progress, "text"));
	if (!json_is_integer(total)) {
		return;
	}
	bm_strbuf_puts(out, out->length > 0 ? ": " : "");
	bm_words_number(out, json_integer_value(done));
	bm_strbuf_puts(out, " of ");
	cli_text_amount(json_integer_value(total),
			strcmp(phase, "copy") == 0 ? "chunks" : "objects", out);
	if (json_is_integer(rows)) {
		bm_strbuf_puts(out, ", ");
		cli_text_amount(json_integer_value(rows), "rows", out);
	}
}

void cli_render_progress(struct cli_table *table, const json_t *migration)
{
	const json_t *progress = json_object_get(migration, "progress");
	struct bm_strbuf now = BM_STRBUF_INIT;

	add_whole(table, progress);
	print_now(progress, cli_text_of(migration, "phase"), &now);
	cli_table_note(table, "now", bm_strbuf_text(&now));
	add_parts(table, migration);
	bm_strbuf_finish(&now);
}
