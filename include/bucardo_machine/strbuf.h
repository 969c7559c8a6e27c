/*
 * strbuf - text that grows while it is built
 *
 * `text` is always a valid, terminated string, also right after init; `length`
 * does not count the terminator. Init with BM_STRBUF_INIT or by zeroing, give
 * back with bm_strbuf_finish(), or take the text with bm_strbuf_detach().
 * A low-level primitive: nothing that knows SQL, JSON or paths belongs here.
 */
#ifndef BUCARDO_MACHINE_STRBUF_H
#define BUCARDO_MACHINE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

struct bm_strbuf {
	char *text; /* NULL until something is added: read with bm_strbuf_text() */
	size_t length;
	size_t capacity;
};

#define BM_STRBUF_INIT                                                                         \
	{                                                                                      \
		NULL, 0, 0                                                                     \
	}

void bm_strbuf_finish(struct bm_strbuf *buf);

/* Make it empty, keeping the memory. */
void bm_strbuf_clear(struct bm_strbuf *buf);

void bm_strbuf_add(struct bm_strbuf *buf, const char *data, size_t length);
void bm_strbuf_puts(struct bm_strbuf *buf, const char *text);
void bm_strbuf_putc(struct bm_strbuf *buf, char c);
void bm_strbuf_printf(struct bm_strbuf *buf, const char *format, ...)
		__attribute__((format(printf, 2, 3)));

/* The text so far, "" when there is none. Valid until the next change. */
const char *bm_strbuf_text(const struct bm_strbuf *buf);

/* Drop the first `length` bytes. */
void bm_strbuf_consume(struct bm_strbuf *buf, size_t length);

/* The caller owns the returned text (free()); the buffer is empty afterwards. */
char *bm_strbuf_detach(struct bm_strbuf *buf);

/* Copy `text` into `out`, cut to `size` bytes with its terminator. */
void bm_text_copy(char *out, size_t size, const char *text);

bool bm_text_begins(const char *text, const char *with);

#endif
