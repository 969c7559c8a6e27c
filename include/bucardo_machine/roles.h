/*
 * roles - whose the objects are on the destination, and who may use them
 *
 * Owners and grants come along where the destination has the role, or the one that the
 * rules put in its place. What a role is there for, and what our role may do with it,
 * is asked with the same two statements by preflight and by the transfer.
 */
#ifndef BUCARDO_MACHINE_ROLES_H
#define BUCARDO_MACHINE_ROLES_H

#include <stdbool.h>

#include "bucardo_machine/rules.h"

struct pg_result; /* libpq's PGresult */

/*
 * At the source: name, whether it is a superuser, how many objects it owns or was
 * granted, CREATE ROLE's words for what it may, how many objects it owns. Groups of
 * these roles are in it too, with 0 objects.
 */
extern const char bm_roles_used_sql[];
enum { BM_ROLE_NAME, BM_ROLE_SUPERUSER, BM_ROLE_OBJECTS, BM_ROLE_WORDS, BM_ROLE_OWNED };

/*
 * At the destination, $1 a JSON list of names, $2 "SET" (from PostgreSQL 16 on) or
 * "MEMBER": name, the same quoted, whether it is there, whether our role may make it an
 * owner and go on working with what it owns.
 */
extern const char bm_roles_there_sql[];

/* $1 of bm_roles_there_sql for the rows of bm_roles_used_sql; free() it. */
char *bm_roles_list(const struct bm_role_rules *rules, const struct pg_result *used);

/* The name on the destination of a role of the source. */
const char *bm_roles_map(const struct bm_role_rules *rules, const char *role);

/* $2 of bm_roles_there_sql for a server of this version. */
const char *bm_roles_right(int server_version);

#endif
