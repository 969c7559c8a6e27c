/*
 * pattern - the names of tables as a person writes them: "audit.*", "public.log_?"
 *
 * As pg_dump reads them: '*' stands for any letters and '?' for one, upper case means
 * lower case, and between double quotes every letter means itself. The schema is always
 * named. Pure.
 */
#ifndef BUCARDO_MACHINE_PATTERN_H
#define BUCARDO_MACHINE_PATTERN_H

#include "bucardo_machine/strbuf.h"

/*
 * Append the two parts as PostgreSQL's regular expressions, "^(audit)$" and "^(.*)$".
 * Returns NULL, or what is wrong with the pattern and what is allowed (static).
 */
const char *bm_pattern_parse(
		const char *pattern, struct bm_strbuf *schema, struct bm_strbuf *table);

#endif
