/* Tables of text. */
#include "cli/table.h"

#include <stdint.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "cli/render.h"

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

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

size_t cli_width(const char *text)
{
	size_t width = 0;

	for (const char *p = text; *p != '\0'; p++) {
		width += !is_continuation((unsigned char)*p);
	}
	return width;
}

/* C1 controls (U+0080..U+009F) drive terminals too; in UTF-8 they are 0xc2 0x80..0x9f. */
static size_t control_length(const unsigned char *p)
{
	if (*p < 0x20 || *p == 0x7f) {
		return 1;
	}
	return *p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f ? 2 : 0;
}

void cli_harmless(const char *text, size_t limit, struct bm_strbuf *out)
{
	size_t width = cli_width(text), seen = 0;
	bool cut = limit > 0 && width > limit;

	for (const char *p = text; *p != '\0'; p++) {
		size_t control = control_length((const unsigned char *)p);
		if (!is_continuation((unsigned char)*p) && cut && seen++ == limit - 1) {
			bm_strbuf_puts(out, "~");
			return;
		}
		bm_strbuf_putc(out, control > 0 ? ' ' : *p);
		p += control > 1 ? control - 1 : 0;
	}
}

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
	cli_harmless(text[0] != '\0' ? text : "-", limit, &clean);
	table->cells[table->cell_count++] = (struct cell){
			bm_strbuf_detach(&clean), tint, BM_STRBUF_INIT};
}

void cli_table_note(struct cli_table *table, const char *label, const char *text)
{
	struct bm_strbuf *notes = &table->cells[table->cell_count - 1].notes;

	if (text[0] == '\0') {
		return;
	}
	size_t indent = NOTE_INDENT + cli_width(label) + 2;
	bm_strbuf_printf(notes, "%*s%s: ", NOTE_INDENT, "", label);
	cli_render_wrapped(text, indent, indent, notes);
}

static size_t column_width(const struct cli_table *table, size_t column)
{
	size_t width = cli_width(table->columns[column].head);

	for (size_t i = column; i < table->cell_count; i += table->column_count) {
		size_t wide = cli_width(table->cells[i].text);
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

static void print_cell(const struct cli_table *table, size_t column, const struct cell *cell,
		bool colour, struct bm_strbuf *out)
{
	bool last = column + 1 == table->column_count;
	int padding = (int)(column_width(table, column) - cli_width(cell->text));

	if (table->columns[column].right) {
		bm_strbuf_printf(out, "%*s", padding, "");
	}
	cli_tinted(cell->tint, colour, cell->text, out);
	if (last) {
		bm_strbuf_putc(out, '\n');
	} else {
		bm_strbuf_printf(out, "%*s", (table->columns[column].right ? 0 : padding) + 2,
				"");
	}
}

void cli_table_print(const struct cli_table *table, bool colour, struct bm_strbuf *out)
{
	for (size_t i = 0; i < table->column_count; i++) {
		struct cell head = {(char *)(uintptr_t)table->columns[i].head, CLI_DIM,
				BM_STRBUF_INIT};
		print_cell(table, i, &head, colour, out);
	}
	for (size_t i = 0; i < table->cell_count; i++) {
		print_cell(table, i % table->column_count, &table->cells[i], colour, out);
		bm_strbuf_puts(out, bm_strbuf_text(&table->cells[i].notes));
	}
}
