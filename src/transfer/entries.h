/*
 * entries - a script of pg_restore, taken apart
 *
 * Every object of the script has a header comment ("-- Name: ...; Type: ...") and one
 * or more statements. A statement's end is found as psql finds it: quotes, dollar
 * quotes, comments, parentheses and BEGIN ATOMIC bodies are respected, so nothing
 * that stands inside a function or a comment on it can be mistaken for an object.
 * What stands before the first object (settings) is dropped. Pure.
 */
#ifndef BUCARDO_MACHINE_TRANSFER_ENTRIES_H
#define BUCARDO_MACHINE_TRANSFER_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>

#include "bucardo_machine/strbuf.h"

struct bm_entry {
	char *name, *type, *schema, *owner; /* as in the header; schema "-" for none */
	struct bm_strbuf sql;		    /* statements, each with its semicolon */
};

struct bm_entries {
	struct bm_entry *list;
	size_t count;
};

void bm_entries_parse(const char *script, size_t length, struct bm_entries *out);
void bm_entries_finish(struct bm_entries *entries);

/* The offset after the semicolon of the statement that begins at `from`. */
size_t bm_statement_end(const char *script, size_t length, size_t from);

/*
 * Whether a statement names, as new owner or in GRANT and REVOKE, a role of `roles`
 * (names, NULL-terminated): such a statement cannot work where the role is missing.
 */
bool bm_statement_needs_role(const char *statement, size_t length, const char *const *roles);

#endif
