/* Patterns of table names, letter by letter. */
#include "bucardo_machine/pattern.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static void put_letter(struct bm_strbuf *out, char c)
{
	if (strchr("|*+?()[]{}.^$\\", c) != NULL) {
		bm_strbuf_putc(out, '\\');
	}
	bm_strbuf_putc(out, c);
}

static void put_unquoted(struct bm_strbuf *out, char c)
{
	if (c == '*') {
		bm_strbuf_puts(out, ".*");
	} else if (c == '?') {
		bm_strbuf_putc(out, '.');
	} else {
		put_letter(out, (char)tolower((unsigned char)c));
	}
}

const char *bm_pattern_parse(
		const char *pattern, struct bm_strbuf *schema, struct bm_strbuf *table)
{
	static const char shape[] = "not a pattern of tables; SCHEMA.TABLE, with * and ? for "
				    "any letters and for one";
	struct bm_strbuf *part = schema;
	bool quoted = false;
	size_t letters = 0;

	bm_strbuf_puts(schema, "^(");
	bm_strbuf_puts(table, "^(");
	for (const char *c = pattern; *c != '\0'; c++) {
		if (*c == '"' && quoted && c[1] == '"') {
			bm_strbuf_putc(part, *c++);
			letters++;
		} else if (*c == '"') {
			quoted = !quoted;
		} else if (*c == '.' && !quoted) {
			if (part == table || letters == 0) {
				return shape;
			}
			part = table;
			letters = 0;
		} else {
			(quoted ? put_letter : put_unquoted)(part, *c);
			letters++;
		}
	}
	if (quoted) {
		return "a double quote is not closed; \"a quoted name\" on either side of the dot";
	}
	bm_strbuf_puts(schema, ")$");
	bm_strbuf_puts(table, ")$");
	return part == table && letters > 0 ? NULL : shape;
}
