/*
 * table - columns of text as wide as their content, with notes under a row
 *
 * Cells are given in order, row by row. Width is counted in characters (UTF-8);
 * control characters become spaces, what is wider than its column's limit is cut. Where the
 * screen is too narrow the last cell is wrapped, and the first one gets a line of its own.
 */
#ifndef CLIENT_TERMINAL_TABLE_H
#define CLIENT_TERMINAL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "bucardo_machine/strbuf.h"

struct cli_column {
	const char *head;
	size_t limit; /* characters; 0: no limit */
	bool right;   /* numbers */
};

enum cli_tint { CLI_PLAIN, CLI_GOOD, CLI_BUSY, CLI_BAD, CLI_DIM, CLI_BOLD };

struct cli_table;

struct cli_table *cli_table_create(const struct cli_column *columns, size_t count);
void cli_table_destroy(struct cli_table *table); /* NULL is accepted */

/* The next cell; a row is full after `count` of them. */
void cli_table_cell(struct cli_table *table, enum cli_tint tint, const char *text);

/* A line under the row that was filled last; nothing for an empty text. */
void cli_table_note(struct cli_table *table, const char *label, const char *text);

/* The same on two lines at most: what is too long ends after a word, with "...". */
void cli_table_brief(struct cli_table *table, const char *label, const char *text);

/* Text under the row last begun, wrapped. */
void cli_table_text(struct cli_table *table, const char *text);

/* A whole line under the row last begun; harmless already, and not wrapped. */
void cli_table_line(struct cli_table *table, const char *text);

void cli_table_print(const struct cli_table *table, bool colour, struct bm_strbuf *out);

/* `text` in a colour, when colours are wanted. */
void cli_tinted(enum cli_tint tint, bool colour, const char *text, struct bm_strbuf *out);

/* The colour of a word that stands for a state, wherever it comes from. */
enum cli_tint cli_tint_of(const char *word);

#endif
