/* Tables of text. */
#include "client/terminal/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "client/terminal/text.h"

#define NOTE_INDENT 4

struct cell {
	char *text;
	enum cli_tint tint;
	struct bm_strbuf notes; /* whole lines; only in the last cell of a row */
};

struct cli_table {
	const struct cli_column *columns;
	size_t column_count, cell_count, room;
	struct cell *cells;
};

struct cli_table *cli_table_create(const struct cli_column *columns, size_t count)
{
	struct cli_table *table = bm_alloc(sizeof(*table));

	table->columns = columns;
	table->column_count = count;
	return table;
}

void cli_table_destroy(struct cli_table *table)
{
	if (table == NULL) {
		return;
	}
	for (size_t i = 0; i < table->cell_count; i++) {
		free(table->cells[i].text);
		bm_strbuf_finish(&table->cells[i].notes);
	}
	free(table->cells);
	free(table);
}

void cli_table_cell(struct cli_table *table, enum cli_tint tint, const char *text)
{
	size_t limit = table->columns[table->cell_count % table->column_count].limit;
	struct bm_strbuf clean = BM_STRBUF_INIT;

	if (table->cell_count == table->room) {
		table->room = table->room == 0 ? 32 : table->room * 2;
		table->cells = bm_realloc(table->cells, table->room, sizeof(*table->cells));
	}
	cli_text_harmless(text[0] != '\0' ? text : "-", limit, &clean);
	table->cells[table->cell_count++] = (struct cell){
			bm_strbuf_detach(&clean), tint, BM_STRBUF_INIT};
}

/* The label, and where its text begins and goes on. */
static void begin_note(
		struct bm_strbuf *notes, const char *label, size_t *column, size_t *indent)
{
	*column = NOTE_INDENT + cli_text_width(label) + 2;
	/* On a narrow screen long names need the room. */
	*indent = *column > cli_text_columns() / 5 ? NOTE_INDENT + 2 : *column;
	bm_strbuf_printf(notes, "%*s%s: ", NOTE_INDENT, "", label);
}

void cli_table_note(struct cli_table *table, const char *label, const char *text)
{
	struct bm_strbuf *notes = &table->cells[table->cell_count - 1].notes;
	size_t column, indent;

	if (text[0] != '\0') {
		begin_note(notes, label, &column, &indent);
		cli_text_wrapped(text, column, indent, notes);
	}
}

void cli_table_brief(struct cli_table *table, const char *label, const char *text)
{
	struct bm_strbuf *notes = &table->cells[table->cell_count - 1].notes;
	size_t column, indent;

	if (text[0] != '\0') {
		begin_note(notes, label, &column, &indent);
		cli_text_brief(text, column, indent, notes);
	}
}

void cli_table_text(struct cli_table *table, const char *text)
{
	struct bm_strbuf *notes = &table->cells[table->cell_count - 1].notes;

	bm_strbuf_printf(notes, "%*s", NOTE_INDENT, "");
	cli_text_wrapped(text, NOTE_INDENT, NOTE_INDENT, notes);
}

void cli_table_line(struct cli_table *table, const char *text)
{
	struct bm_strbuf *notes = &table->cells[table->cell_count - 1].notes;

	bm_strbuf_printf(notes, "%*s%s\n", NOTE_INDENT, "", text);
}

static size_t column_width(const struct cli_table *table, size_t column)
{
	size_t width = cli_text_width(table->columns[column].head);

	for (size_t i = column; i < table->cell_count; i += table->column_count) {
		size_t wide = cli_text_width(table->cells[i].text);
		width = wide > width ? wide : width;
	}
	return width;
}

void cli_tinted(enum cli_tint tint, bool colour, const char *text, struct bm_strbuf *out)
{
	static const char *const codes[] = {
			[CLI_PLAIN] = "",
			[CLI_GOOD] = "\033[32m",
			[CLI_BUSY] = "\033[33m",
			[CLI_BAD] = "\033[1;31m",
			[CLI_DIM] = "\033[2m",
			[CLI_BOLD] = "\033[1m",
	};
	bool coloured = colour && tint != CLI_PLAIN;

	bm_strbuf_printf(out, "%s%s%s", coloured ? codes[tint] : "", text,
			coloured ? "\033[0m" : "");
}

/* ---- printing ---- */

/* What a last column is given at least; where there is less it gets a line of its own. */
#define LAST_LEAST 16
#define STACK_INDENT 4

/* How the rows are laid out: as wide as they are, or with the first cell on a line of its own,
 * so that nothing is cut where the screen is too narrow. */
struct layout {
	bool stacked;
	size_t last_at; /* the column of the screen where the last cell begins */
};

static size_t begin_of_last(const struct cli_table *table, size_t first)
{
	size_t width = 0;

	for (size_t i = first; i + 1 < table->column_count; i++) {
		width += column_width(table, i) + 2;
	}
	return width;
}

static struct layout lay_out(const struct cli_table *table)
{
	size_t last = column_width(table, table->column_count - 1);
	size_t room = cli_text_columns();
	size_t least = last < LAST_LEAST ? last : LAST_LEAST;
	struct layout layout = {false, begin_of_last(table, 0)};

	if (table->column_count > 2 && layout.last_at + least > room) {
		layout.stacked = true;
		layout.last_at = STACK_INDENT + begin_of_last(table, 1);
	}
	return layout;
}

/* The last cell is wrapped where it stands, or below when there is no room beside the others.
 */
static void print_last(const struct cell *cell, const struct layout *layout, bool colour,
		struct bm_strbuf *out)
{
	size_t width = cli_text_width(cell->text), room = cli_text_columns(),
	       at = layout->last_at;

	if (at + width <= room) {
		cli_tinted(cell->tint, colour, cell->text, out);
		bm_strbuf_putc(out, '\n');
		return;
	}
	if (at + LAST_LEAST > room) {
		at = STACK_INDENT;
		while (out->length > 0 && out->text[out->length - 1] == ' ') {
			out->text[--out->length] = '\0';
		}
		bm_strbuf_printf(out, "\n%*s", STACK_INDENT, "");
	}
	cli_text_wrapped(cell->text, at, at, out);
}

static void print_cell(const struct cli_table *table, size_t column, const struct cell *cell,
		const struct layout *layout, bool colour, struct bm_strbuf *out)
{
	int padding = (int)(column_width(table, column) - cli_text_width(cell->text));

	if (table->columns[column].right) {
		bm_strbuf_printf(out, "%*s", padding, "");
	}
	if (column + 1 == table->column_count) {
		print_last(cell, layout, colour, out);
		return;
	}
	cli_tinted(cell->tint, colour, cell->text, out);
	if (column == 0 && layout->stacked) {
		bm_strbuf_printf(out, "\n%*s", STACK_INDENT, "");
	} else {
		bm_strbuf_printf(out, "%*s", (table->columns[column].right ? 0 : padding) + 2,
				"");
	}
}

void cli_table_print(const struct cli_table *table, bool colour, struct bm_strbuf *out)
{
	const struct layout layout = lay_out(table);

	for (size_t i = 0; i < table->column_count; i++) {
		struct cell head = {(char *)(uintptr_t)table->columns[i].head, CLI_DIM,
				BM_STRBUF_INIT};
		print_cell(table, i, &head, &layout, colour, out);
	}
	for (size_t i = 0; i < table->cell_count; i++) {
		print_cell(table, i % table->column_count, &table->cells[i], &layout, colour,
				out);
		bm_strbuf_puts(out, bm_strbuf_text(&table->cells[i].notes));
	}
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
			{"live", CLI_GOOD},
			{"halted", CLI_BAD},
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
