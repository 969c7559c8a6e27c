/*
 * entries - a script of pg_restore, taken apart
 *
 * Every object of the script has a header comment ("-- Name: ...; Type: ...") and one
 * or more statements. A statement's end is found as psql finds it: quotes, dollar
 * quotes, comments, parentheses and BEGIN ATOMIC bodies are respected, so nothing
 * that stands inside a function or a comment on it can be mistaken for an object.
 * What stands before the first object (settings) is dropped. With --verbose the headers
 * also say which row of the source's catalog an object is, and what it depends on. Pure.
 */
#ifndef WORKER_DUMP_ENTRIES_H
#define WORKER_DUMP_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>

#include "bucardo_machine/strbuf.h"

struct bm_entry {
	char *name, *type, *schema, *owner; /* as in the header; schema "-" for none */
	unsigned number;		    /* in the archive; 0: not told */
	unsigned class_oid, oid;	    /* of its row in the source's catalog; 0: none */
	bool with_path;	      /* without a search_path it would be another thing */
	char *needs;	      /* numbers of others, " 3 17 "; "" for none */
	struct bm_strbuf sql; /* statements, each with its semicolon */
};

struct bm_entries {
	struct bm_entry *list;
	size_t count;
};

void bm_entries_parse(const char *script, size_t length, struct bm_entries *out);
void bm_entries_finish(struct bm_entries *entries);

/* Whether this is its schema and name, both in quotes: "public"."film". */
bool bm_entry_is_named(const struct bm_entry *entry, const char *quoted);

/* Take one out; those after it close the gap. */
void bm_entries_remove(struct bm_entries *entries, size_t index);

/* The offset after the semicolon of the statement that begins at `from`. */
size_t bm_statement_end(const char *script, size_t length, size_t from);

/* The offset after the token that begins at `from`: a word, a quoted text, one letter. */
size_t bm_token_end(const char *script, size_t length, size_t from);

#endif
