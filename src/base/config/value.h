/*
 * value - scalars: texts into numbers, spans of time and choices, and back
 *
 * Questions about texts only; nothing here knows a file or a key's place.
 */
#ifndef BASE_CONFIG_VALUE_H
#define BASE_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/strbuf.h"
#include "base/config/keys.h"

/*
 * Read a DURATION, COUNT, BOOLEAN or CHOICE. On failure appends "what was found;
 * what is allowed" to `problem` and returns false.
 */
bool bm_value_read(const struct bm_key *key, const char *text, uint64_t *value,
		struct bm_strbuf *problem);

/* The same value as text: "2min", "1000", "true", "json". */
void bm_value_write(const struct bm_key *key, uint64_t value, struct bm_strbuf *out);

/* What is allowed for this key, for people: "a duration from 1s to 1h". */
void bm_value_describe(const struct bm_key *key, struct bm_strbuf *out);

/* Read or write the value at `base` + the key's offset. */
uint64_t bm_value_get(const struct bm_key *key, const void *base);
void bm_value_put(const struct bm_key *key, void *base, uint64_t value);

#endif
