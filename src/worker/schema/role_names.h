/* role_names - the roles that a statement of a dump names. Pure. */
#ifndef WORKER_SCHEMA_ROLE_NAMES_H
#define WORKER_SCHEMA_ROLE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "bucardo_machine/strbuf.h"

enum bm_statement_kind {
	BM_STATEMENT_OTHER,   /* names no role */
	BM_STATEMENT_OWNER,   /* ALTER ... OWNER TO */
	BM_STATEMENT_GRANT,   /* GRANT, REVOKE, ALTER DEFAULT PRIVILEGES */
	BM_STATEMENT_POLICY,  /* CREATE POLICY, CREATE USER MAPPING */
	BM_STATEMENT_SESSION, /* SET SESSION AUTHORIZATION and RESET of it */
};

enum bm_statement_kind bm_statement_kind(const char *text, size_t length);

/* What to write for a role (unquoted name), quoted; NULL: it has to go. */
typedef const char *bm_role_map(void *ctx, const char *role);

/*
 * Write the statement with its roles mapped to `out`. Roles that have to go leave their
 * list; false when that leaves nothing of it: such a statement cannot be.
 */
bool bm_statement_map_roles(const char *text, size_t length, bm_role_map *map, void *ctx,
		struct bm_strbuf *out);

#endif
