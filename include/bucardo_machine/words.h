/*
 * words - numbers as people read them: one function for counts, one for sizes, one for rates;
 * and which known word a misspelt one was meant to be
 *
 * A span of time is bm_clock_format_span() of clock.h. Each appends to `out`.
 */
#ifndef BUCARDO_MACHINE_WORDS_H
#define BUCARDO_MACHINE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/strbuf.h"

/* "1,234,567". */
void bm_words_number(struct bm_strbuf *out, int64_t number);

/* "1 row", "2 rows", "1,234 rows"; `several` NULL: `one` and an s. */
void bm_words_count(struct bm_strbuf *out, int64_t count, const char *one, const char *several);

/* "1 byte", "999 bytes", "1.2 GB". */
void bm_words_size(struct bm_strbuf *out, int64_t bytes);

/* "1 row/s", "1,234 rows/s"; of "byte" a size. Below one a second there is nothing to say:
 * false, and nothing is appended. */
bool bm_words_rate(struct bm_strbuf *out, double per_second, const char *one);

/* Names with blanks between them, sorted: "a", "a and b", "a, b and c". Returns how many. */
size_t bm_words_names(struct bm_strbuf *out, const char *names);

/* Edits (insert, delete, replace, swap neighbours) between two short texts; UINT_MAX when one
 * has more than 40 letters. */
unsigned bm_words_distance(const char *a, const char *b);

/* The nearest to `word` of those that `known` gives for 0, 1, ... (NULL: the end); NULL when
 * none is near: a third of its letters may be wrong. */
const char *bm_words_nearest(const char *word, const char *(*known)(const void *ctx, size_t i),
		const void *ctx);

#endif
