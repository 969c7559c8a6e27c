/*
 * pgpass - what a person should know about a password file
 *
 * The rules are libpq's: one entry a line, five fields with ':' between them,
 * '\' before a ':' or '\' inside a field, '#' starts a comment line.
 */
#ifndef BASE_CONFIG_PGPASS_H
#define BASE_CONFIG_PGPASS_H

#include <stddef.h>

#include "bucardo_machine/strbuf.h"

/*
 * Append one line for each thing that is wrong in the content, with the number
 * of its line and never a byte of it. `name` stands for the file.
 */
void bm_pgpass_check(
		const char *name, const char *text, size_t length, struct bm_strbuf *warnings);

#endif
