/* utf8 - where characters end, for texts that others wrote. */
#ifndef BUCARDO_MACHINE_UTF8_H
#define BUCARDO_MACHINE_UTF8_H

#include <stddef.h>

/*
 * The bytes (1 to 4) of the character that starts at `text`, of which `length`
 * bytes are there; 0 when they are no valid UTF-8 (overlong forms, surrogates
 * and cut characters included) or `length` is 0.
 */
size_t bm_utf8_length(const char *text, size_t length);

#endif
