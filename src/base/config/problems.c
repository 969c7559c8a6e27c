/* Error lines of a configuration file, and what of its content may stand in them. */
#include "base/config/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"

/* The longest value that is quoted in full. */
#define QUOTE_BYTES 60

void bm_report_error(struct bm_report *report, size_t line, size_t column, const char *path,
		const char *format, ...)
{
	char text[1024];
	va_list args;

	if (report->count++ >= BM_REPORT_MOST) {
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report->entries[report->count - 1] = (struct bm_report_entry){line, column,
			bm_format("%s%s%s", path, path[0] != '\0' ? ": " : "", text)};
}

static int compare_places(const void *left, const void *right)
{
	const struct bm_report_entry *a = left, *b = right;

	if (a->line != b->line) {
		return a->line < b->line ? -1 : 1;
	}
	return a->column < b->column ? -1 : a->column > b->column;
}

void bm_report_finish(struct bm_report *report, struct bm_strbuf *out)
{
	size_t kept = report->count < BM_REPORT_MOST ? report->count : BM_REPORT_MOST;

	qsort(report->entries, kept, sizeof(report->entries[0]), compare_places);
	for (size_t i = 0; i < kept; i++) {
		struct bm_report_entry *entry = &report->entries[i];
		bm_strbuf_printf(out, "%s:%zu:%zu: %s\n", report->file, entry->line,
				entry->column, entry->text);
		free(entry->text);
	}
	if (report->count > kept) {
		bm_strbuf_printf(out, "%s: %zu more errors are not shown\n", report->file,
				report->count - kept);
	}
}

/* SCHEME://USER:PASSWORD@ somewhere in `text`. */
static bool has_url_password(const char *text)
{
	for (const char *p = text; (p = strstr(p, "://")) != NULL;) {
		p += 3;
		size_t authority = strcspn(p, "/?# \t");
		const char *at = memchr(p, '@', authority);
		const char *colon = at != NULL ? memchr(p, ':', (size_t)(at - p)) : NULL;
		if (colon != NULL && at - colon > 1) {
			return true;
		}
	}
	return false;
}

bool bm_report_is_secret(const char *text)
{
	return strcasestr(text, "password=") != NULL || has_url_password(text);
}

void bm_report_quote(struct bm_strbuf *out, const char *text)
{
	size_t length = strlen(text);

	if (bm_report_is_secret(text)) {
		bm_strbuf_puts(out, "(hidden)");
		return;
	}
	bm_strbuf_putc(out, '\'');
	for (size_t i = 0; i < length && i < QUOTE_BYTES; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x20 || c == 0x7f) {
			bm_strbuf_printf(out, "\\x%02x", c);
		} else {
			bm_strbuf_putc(out, text[i]);
		}
	}
	/* Cut between characters, not inside one. */
	size_t i = length < QUOTE_BYTES ? length : QUOTE_BYTES;
	while (i < length && ((unsigned char)text[i] & 0xc0) == 0x80) {
		bm_strbuf_putc(out, text[i++]);
	}
	bm_strbuf_puts(out, i < length ? "...'" : "'");
}
