/* Quoting of names and values for SQL text; assumes UTF-8, as every client of ours sets. */
#include "bucardo_machine/libpq.h"

#include <string.h>

void bm_quote_ident(struct bm_strbuf *out, const char *name)
{
	bm_strbuf_putc(out, '"');
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '"') {
			bm_strbuf_putc(out, '"');
		}
		bm_strbuf_putc(out, *p);
	}
	bm_strbuf_putc(out, '"');
}

/* With a backslash the E'' form is used: right whatever standard_conforming_strings says. */
void bm_quote_literal(struct bm_strbuf *out, const char *value)
{
	bm_strbuf_puts(out, strchr(value, '\\') != NULL ? " E'" : "'");
	for (const char *p = value; *p != '\0'; p++) {
		if (*p == '\'' || *p == '\\') {
			bm_strbuf_putc(out, *p);
		}
		bm_strbuf_putc(out, *p);
	}
	bm_strbuf_putc(out, '\'');
}

void bm_quote_array_add(struct bm_strbuf *out, const char *value)
{
	bm_strbuf_puts(out, out->length == 0 ? "{\"" : ",\"");
	for (const char *p = value; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\') {
			bm_strbuf_putc(out, '\\');
		}
		bm_strbuf_putc(out, *p);
	}
	bm_strbuf_putc(out, '"');
}

char *bm_quote_array_end(struct bm_strbuf *out)
{
	bm_strbuf_puts(out, out->length == 0 ? "{}" : "}");
	return bm_strbuf_detach(out);
}
