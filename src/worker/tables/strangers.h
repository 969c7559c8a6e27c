/*
 * strangers - tables that a stranger owns on one side
 *
 * What we write to a table has its functions called (checks, indexes, triggers that fire
 * always) with our rights. A role that may create tables on the side that follows could make
 * one of a name that is to come there. A table is no stranger's when its owner is one of those
 * who own it, or what it is a partition of, on the side that is live; or our role, a superuser,
 * or one that owns a captured table there.
 */
#ifndef WORKER_TABLES_STRANGERS_H
#define WORKER_TABLES_STRANGERS_H

#include "worker/session/sides.h"

struct json_t;

/*
 * Of the tables that are the keys of `names`, those of a stranger on the other side than
 * `live`: table -> {role, owner}, the stranger and who owns it on the live side, both quoted.
 * New; NULL with `err`. The keys of `captured` are the captured tables.
 */
struct json_t *bm_strangers(struct bm_phase *phase, enum bm_side live,
		const struct json_t *names, const struct json_t *captured,
		struct bm_error *err);

#endif
