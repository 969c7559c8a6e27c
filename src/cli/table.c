/* Tables of text. */
#include "cli/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "cli/text.h"

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

void cli_table_note(struct cli_table *table, const char *label, const char *text)
{
	struct bm_strbuf *notes = &table->cells[table->cell_count - 1].notes;

	if (text[0] == '\0') {
		return;
	}
	size_t indent = NOTE_INDENT + cli_text_width(label) + 2;
	bm_strbuf_printf(notes, "%*s%s: ", NOTE_INDENT, "", label);
	cli_text_wrapped(text, indent, indent, notes);
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

static void print_cell(const struct cli_table *table, size_t column, const struct cell *cell,
		bool colour, struct bm_strbuf *out)
{
	bool last = column + 1 == table->column_count;
	int padding = (int)(column_width(table, column) - cli_text_width(cell->text));

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
