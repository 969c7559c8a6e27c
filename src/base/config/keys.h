/*
 * keys - the one table of what a configuration may say
 *
 * A row per key: where it stands, its type, where its value goes, its default,
 * its limits and its help. Loading, checking, `config show`, `config reference`
 * and the example file are all walks over this table, so a new key is a new row
 * (and a member of struct bm_config).
 *
 * Paths: "supervision.give_up_after"; what stands in the mappings of a list has
 * "[]" in its path, "units[].name". Offsets count from struct bm_config, or from
 * the element's struct inside a list.
 */
#ifndef BASE_CONFIG_KEYS_H
#define BASE_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bm_key_type {
	BM_KEY_SECTION,	 /* a mapping of further keys; no value of its own */
	BM_KEY_LIST,	 /* a list of mappings, an array of structs */
	BM_KEY_DURATION, /* uint64_t, milliseconds */
	BM_KEY_RATE,	 /* uint64_t, bytes a second; 0: no limit, written "none" */
	BM_KEY_COUNT,	 /* unsigned */
	BM_KEY_BOOLEAN,	 /* bool */
	BM_KEY_CHOICE,	 /* an enum whose members number the choices from 0 */
	BM_KEY_TEXT,	 /* const char *; NULL: none */
	BM_KEY_WORDS,	 /* const char *const *, NULL-terminated; NULL: none */
	BM_KEY_PAIRS,	 /* const char *const * of "name=value"; empty: none */
	BM_KEY_TYPE_COUNT
};

/* The offset of a key that is checked but not kept. */
#define BM_KEY_NOT_KEPT SIZE_MAX

/*
 * A check of one text (a TEXT, one of WORDS, one of PAIRS with its name; name is
 * NULL otherwise): NULL when it is fine, else "what is wrong; what is allowed",
 * in static storage, never with the value in it.
 */
typedef const char *bm_key_check(const char *name, const char *value);

struct bm_key {
	const char *path;
	const char *former; /* its name in older files; NULL: it had no other */
	enum bm_key_type type;
	bool required;
	size_t offset;
	uint64_t fallback, minimum, maximum;
	const char *fallback_text;		/* of a TEXT; NULL: none */
	const char *const *choices;		/* NULL-terminated */
	bool (*is_asked_for)(const char *text); /* what is no choice, but a command of its own;
						   NULL: none */
	bm_key_check *check;			/* NULL: any text */
	const char *shape;			/* of a text, for people; what is allowed */
	size_t element_size;			/* of a list's struct */
	size_t count_offset;			/* of a list's count (size_t) */
	const char *help;
};

extern const struct bm_key bm_keys[];
extern const size_t bm_key_count;

/* The part of a row's path after `prefix` if the key stands directly there, else NULL. */
const char *bm_key_name_under(const struct bm_key *key, const char *prefix);

/* The row of `name`, or of what was called so, under `prefix` ("", "supervision.", "units[].");
 * NULL if unknown. */
const struct bm_key *bm_key_find(const char *prefix, const char *name);

/* The prefix of what stands inside a section or list: "units" gives "units[].". */
void bm_key_inner_prefix(const struct bm_key *key, char *out, size_t size);

/* "a duration from 1s to 1h; default 15s": what is allowed, and what it is when it is not
 * there. The default stands between two `quote`. reference.c */
struct bm_strbuf;
void bm_key_describe(const struct bm_key *key, const char *quote, struct bm_strbuf *out);

/* "duration", "whole number", ... Static storage. */
const char *bm_key_type_name(enum bm_key_type type);

#endif
