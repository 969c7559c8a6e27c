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

/*
 * The bytes of the character at `text`, which ends with a NUL, when it says nothing and drives
 * whoever shows it: control characters (U+0000 is none, the C1 ones are), and those that change
 * the direction of what follows (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069); 0
 * when it is none of these.
 */
size_t bm_utf8_control(const char *text);

#endif
