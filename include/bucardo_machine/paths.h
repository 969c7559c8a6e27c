/*
 * paths - questions to a source about what depends on its search_path
 *
 * Texts of statements, shared by the copy and by preflight. Pure. Threads: any.
 */
#ifndef BUCARDO_MACHINE_PATHS_H
#define BUCARDO_MACHINE_PATHS_H

/* One row an object: class and oid of its row in the catalog, the relation or type, what it is
 * there, the operators. $1: relations that are left out, as oid[]. src/transfer/sql/. */
extern const char bm_paths_operators_sql[];
enum { BM_PATHS_CLASS, BM_PATHS_OID, BM_PATHS_RELATION, BM_PATHS_WHAT, BM_PATHS_OPERATORS };

/* The schemas of the path, as text[]: $1 a relation or NULL, $2 what the server's is. */
extern const char bm_paths_source_sql[];
/* What $2 is where the server was not asked. */
#define BM_PATHS_USUAL "\"$user\", public"

/* $1 schemas as text[], $2 a relation or '': the path or NULL, why not, whether it is unsafe.
 */
extern const char bm_paths_safe_sql[];

#endif
