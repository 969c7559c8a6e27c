/* Pieces of text. */
#include "client/terminal/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/utf8.h"
#include "bucardo_machine/words.h"

const char *cli_text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text != NULL ? text : "";
}

const json_t *cli_text_named(const json_t *array, const char *name)
{
	size_t index;
	const json_t *one;

	json_array_foreach(array, index, one)
	{
		if (strcmp(cli_text_of(one, "name"), name) == 0) {
			return one;
		}
	}
	return NULL;
}

/* ---- characters ---- */

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

size_t cli_text_width(const char *text)
{
	size_t width = 0;

	for (const char *p = text; *p != '\0'; p++) {
		width += !is_continuation((unsigned char)*p);
	}
	return width;
}

void cli_text_harmless(const char *text, size_t limit, struct bm_strbuf *out)
{
	size_t width = cli_text_width(text), seen = 0;
	bool cut = limit > 0 && width > limit;

	for (const char *p = text; *p != '\0'; p++) {
		size_t control = bm_utf8_control(p);
		if (!is_continuation((unsigned char)*p) && cut && seen++ == limit - 1) {
			bm_strbuf_puts(out, "~");
			return;
		}
		bm_strbuf_putc(out, control > 0 ? ' ' : *p);
		p += control > 1 ? control - 1 : 0;
	}
}

/* ---- lines ---- */

/* A process of ours draws on one screen. */
static size_t columns = CLI_COLUMNS;

void cli_text_set_columns(size_t wanted)
{
	if (wanted == 0) {
		columns = CLI_COLUMNS;
	} else if (wanted < CLI_COLUMNS_LEAST) {
		columns = CLI_COLUMNS_LEAST;
	} else {
		columns = wanted < CLI_COLUMNS_MOST ? wanted : CLI_COLUMNS_MOST;
	}
}

size_t cli_text_columns(void)
{
	return columns;
}

/* Where a word that no line can hold is broken best: after one of these. */
static bool is_joint(char c)
{
	return c != '\0' && strchr("._-/,:;()\"'=", c) != NULL;
}

/* Bytes of the next word, or as much of it as one line can hold. */
static size_t piece_length(const char *word, size_t room)
{
	size_t width = 0, length = 0, joint = 0;

	for (; word[length] != '\0' && word[length] != ' '; length++) {
		width += !is_continuation((unsigned char)word[length]);
		if (width > room) {
			return joint > 0 ? joint : length;
		}
		joint = is_joint(word[length]) ? length + 1 : joint;
	}
	return length;
}

void cli_text_wrapped(const char *text, size_t column, size_t indent, struct bm_strbuf *out)
{
	struct bm_strbuf clean = BM_STRBUF_INIT;
	bool fresh = true; /* nothing stands on this line yet */

	cli_text_harmless(text, 0, &clean);
	const char *p = bm_strbuf_text(&clean) + strspn(bm_strbuf_text(&clean), " ");
	while (*p != '\0') {
		size_t length = piece_length(p, columns - indent);
		char *piece = bm_strndup(p, length);
		size_t width = cli_text_width(piece);
		/* Also the first one, when it has less room here than a line begun anew gives.
		 */
		if (column + !fresh + width > columns && (!fresh || column > indent)) {
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

/* The end of the second line of `text`; its length when there is none. */
static size_t two_lines(const char *text)
{
	size_t first = strcspn(text, "\n");

	return text[first] == '\0' ? first : first + 1 + strcspn(text + first + 1, "\n");
}

void cli_text_brief(const char *text, size_t column, size_t indent, struct bm_strbuf *out)
{
	struct bm_strbuf whole = BM_STRBUF_INIT;

	cli_text_wrapped(text, column, indent, &whole);
	const char *lines = bm_strbuf_text(&whole);
	size_t length = two_lines(lines);
	if (lines[length] == '\0' || lines[length + 1] == '\0') {
		bm_strbuf_puts(out, lines);
		bm_strbuf_finish(&whole);
		return;
	}
	char *kept = bm_strndup(lines, length);
	char *second = strrchr(kept, '\n') + 1;
	while (cli_text_width(second) + strlen(" ...") > columns &&
			strrchr(second + indent, ' ') != NULL) {
		*strrchr(second + indent, ' ') = '\0';
	}
	bm_strbuf_printf(out, "%s ...\n", kept);
	free(kept);
	bm_strbuf_finish(&whole);
}

/* ---- numbers ---- */

void cli_text_amount(int64_t amount, const char *unit, struct bm_strbuf *out)
{
	size_t length = strlen(unit);

	if (strcmp(unit, "bytes") == 0) {
		bm_words_size(out, amount);
		return;
	}
	bool is_plural = length > 1 && unit[length - 1] == 's';
	bm_words_number(out, amount);
	bm_strbuf_printf(out, " %.*s", (int)(length - (amount == 1 && is_plural)), unit);
}

bool cli_text_rate(int64_t per_second, const char *unit, struct bm_strbuf *out)
{
	char one[32];
	size_t length = strlen(unit);

	snprintf(one, sizeof(one), "%.*s", (int)(length > 0 ? length - 1 : 0), unit);
	return bm_words_rate(out, (double)per_second, one);
}

void cli_text_count(const json_t *object, const char *member, const char *one,
		const char *several, struct bm_strbuf *out)
{
	bm_words_count(out, json_integer_value(json_object_get(object, member)), one, several);
}

void cli_text_failures(const json_t *object, const char *member, struct bm_strbuf *out)
{
	int64_t count = json_integer_value(json_object_get(object, member));

	if (count == 1) {
		bm_strbuf_puts(out, "failed once");
	} else {
		bm_strbuf_printf(out, "failed %lld times in a row", (long long)count);
	}
}

const char *cli_text_span(const json_t *object, const char *member, char *out)
{
	const json_t *value = json_object_get(object, member);

	if (!json_is_integer(value) || json_integer_value(value) < 0) {
		return "-";
	}
	return bm_clock_format_span((uint64_t)json_integer_value(value), out);
}
