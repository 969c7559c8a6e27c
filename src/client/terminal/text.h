/*
 * text - pieces of text that all screens are made of: lines, numbers, members of JSON
 *
 * What comes from elsewhere (server messages, queries) goes through cli_text_harmless() or
 * cli_text_wrapped() before a terminal sees it. Width is counted in characters (UTF-8).
 * Where there is an `out`, the text is appended to it.
 *
 * Threads: one; the width of the screen is the process's.
 */
#ifndef CLIENT_TERMINAL_TEXT_H
#define CLIENT_TERMINAL_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/strbuf.h"

/* What a line may hold where nobody says otherwise, and the extremes that are obeyed. */
#define CLI_COLUMNS 100
#define CLI_COLUMNS_LEAST 60
#define CLI_COLUMNS_MOST 160

/* The width of the screen, asked for once by the command; 0: CLI_COLUMNS. */
void cli_text_set_columns(size_t columns);
size_t cli_text_columns(void);

/* A member that is a string; "" when it is not there or something else. Borrowed. */
const char *cli_text_of(const json_t *object, const char *member);

/* The first object of an array that has this `name`; NULL: none. Borrowed. */
const json_t *cli_text_named(const json_t *array, const char *name);

/* `text` without control characters, cut after `limit` characters (0: whole). */
void cli_text_harmless(const char *text, size_t limit, struct bm_strbuf *out);

/* Characters of a text. */
size_t cli_text_width(const char *text);

/*
 * Words of `text`, wrapped at the screen's width and indented by `indent` from the second
 * line on, begun at `column`; control characters become spaces. Ends with a newline.
 */
void cli_text_wrapped(const char *text, size_t column, size_t indent, struct bm_strbuf *out);

/* Two lines of that at most: what is longer ends after a word, with " ...". */
void cli_text_brief(const char *text, size_t column, size_t indent, struct bm_strbuf *out);

/* Of a worker's unit, a plural ("rows", "bytes"): "1 row", "1,234 rows", "1.2 GB". */
void cli_text_amount(int64_t amount, const char *unit, struct bm_strbuf *out);

/* "12 rows/s"; false, and nothing, below one a second. */
bool cli_text_rate(int64_t per_second, const char *unit, struct bm_strbuf *out);

/* A member, as bm_words_count() has it. */
void cli_text_count(const json_t *object, const char *member, const char *one,
		const char *several, struct bm_strbuf *out);

/* "failed once", "failed 3 times in a row". */
void cli_text_failures(const json_t *object, const char *member, struct bm_strbuf *out);

/* A number of milliseconds as a span into `out` (BM_CLOCK_TEXT_SIZE); "-" when it is null. */
const char *cli_text_span(const json_t *object, const char *member, char *out);

#endif
