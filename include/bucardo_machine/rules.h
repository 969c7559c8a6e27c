/*
 * rules - what of the source comes over, as a person declared it
 *
 * Texts and lists are borrowed. What each rule means stands with the functions that apply it.
 */
#ifndef BUCARDO_MACHINE_RULES_H
#define BUCARDO_MACHINE_RULES_H

#include <stdbool.h>

/* Which tables, by patterns: table_filter.h. */
struct bm_table_filter {
	const char *const *include, *const *exclude; /* NULL-terminated; NULL: no pattern */
};

/* Which extensions: extensions.h. */
struct bm_extension_rules {
	const char *const *skip;     /* names, NULL-terminated; NULL: none */
	const char *const *versions; /* "name=version", or "name=source" for the same */
};

/* Whose the objects are: roles.h. */
struct bm_role_rules {
	bool drop_owners; /* everything belongs to the role that we connect as */
	bool drop_grants;
	bool create;		  /* what is missing, without LOGIN and password */
	const char *const *names; /* "old=new", NULL-terminated; NULL: none */
};

#endif
