/* A growing, always terminated text. */
#include "bucardo_machine/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"

static void reserve(struct bm_strbuf *buf, size_t extra)
{
	size_t needed = buf->length + extra + 1;

	if (needed <= buf->capacity) {
		return;
	}
	buf->capacity = needed < 64 ? 64 : needed + needed / 2;
	buf->text = bm_realloc(buf->text, buf->capacity, 1);
}

void bm_strbuf_finish(struct bm_strbuf *buf)
{
	free(buf->text);
	*buf = (struct bm_strbuf)BM_STRBUF_INIT;
}

void bm_strbuf_clear(struct bm_strbuf *buf)
{
	buf->length = 0;
	if (buf->text != NULL) {
		buf->text[0] = '\0';
	}
}

void bm_strbuf_add(struct bm_strbuf *buf, const char *data, size_t length)
{
	reserve(buf, length);
	if (length > 0) {
		memcpy(buf->text + buf->length, data, length);
	}
	buf->length += length;
	buf->text[buf->length] = '\0';
}

void bm_strbuf_puts(struct bm_strbuf *buf, const char *text)
{
	bm_strbuf_add(buf, text, strlen(text));
}

void bm_strbuf_putc(struct bm_strbuf *buf, char c)
{
	bm_strbuf_add(buf, &c, 1);
}

void bm_strbuf_printf(struct bm_strbuf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int wanted = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (wanted < 0) {
		return;
	}
	reserve(buf, (size_t)wanted);
	va_start(args, format);
	vsnprintf(buf->text + buf->length, (size_t)wanted + 1, format, args);
	va_end(args);
	buf->length += (size_t)wanted;
}

const char *bm_strbuf_text(const struct bm_strbuf *buf)
{
	return buf->text != NULL ? buf->text : "";
}

void bm_strbuf_consume(struct bm_strbuf *buf, size_t length)
{
	if (length >= buf->length) {
		bm_strbuf_clear(buf);
		return;
	}
	buf->length -= length;
	memmove(buf->text, buf->text + length, buf->length + 1);
}

char *bm_strbuf_detach(struct bm_strbuf *buf)
{
	reserve(buf, 0);
	buf->text[buf->length] = '\0';
	char *text = buf->text;
	*buf = (struct bm_strbuf)BM_STRBUF_INIT;
	return text;
}

void bm_text_copy(char *out, size_t size, const char *text)
{
	size_t length = strnlen(text, size - 1);

	memcpy(out, text, length);
	out[length] = '\0';
}

bool bm_text_begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}
