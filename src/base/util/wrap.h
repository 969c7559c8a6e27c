/*
 * wrap - a paragraph in lines of a readable width
 */
#ifndef BASE_UTIL_WRAP_H
#define BASE_UTIL_WRAP_H

#include "bucardo_machine/strbuf.h"

/* Append `text` in lines of at most 88 columns; `first` and `rest` start the lines. */
void bm_wrap(struct bm_strbuf *out, const char *first, const char *rest, const char *text);

#endif
