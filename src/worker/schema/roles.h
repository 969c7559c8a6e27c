/* roles - statements about roles, as the destination can have them */
#ifndef WORKER_SCHEMA_ROLES_H
#define WORKER_SCHEMA_ROLES_H

#include "worker/dump/entries.h"
#include "worker/transfer/internal.h"

struct bm_role {
	char *name;   /* at the source */
	char *quoted; /* at the destination; NULL: there is none */
	bool may_own; /* our role can give it something and use that afterwards */
};

struct bm_roles {
	struct bm_role *list;
	size_t count;
};

/* Create what is missing, where the rules say so; then look what there is. */
int bm_roles_read(struct bm_transfer *t, struct bm_roles *out, struct bm_error *err);
void bm_roles_finish(struct bm_roles *roles);

/*
 * Rewrite what the entries say about roles; what cannot be is taken out and, with
 * `report`, told. With `owners` the statements that set an owner go there, as entries of
 * type OWNER, to be carried out when everything is made.
 */
void bm_roles_apply(struct bm_transfer *t, const struct bm_roles *roles,
		struct bm_entries *entries, struct bm_entries *owners, bool report);

/* One statement that may fail without harm to the transaction. */
bool bm_roles_try(struct bm_transfer *t, const char *sql, struct bm_error *why);

/* Carry out entries of which each may fail. */
typedef int bm_apply_entries(struct bm_transfer *t, const struct bm_entry *list, size_t count,
		struct bm_error *err);

/*
 * Set the owners. A new owner must be allowed to create in the schema: where it is not,
 * it is for as long as this takes. Inside the transaction that makes the schema.
 */
int bm_roles_set_owners(struct bm_transfer *t, const struct bm_entries *owners,
		bm_apply_entries *apply, struct bm_error *err);

#endif
