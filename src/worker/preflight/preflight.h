/*
 * preflight - the table of what is looked for before anything is touched
 *
 * A check is a statement at one side; each row it gives is a finding: object, why,
 * fix. Walked by preflight.c.
 */
#ifndef WORKER_PREFLIGHT_PREFLIGHT_H
#define WORKER_PREFLIGHT_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>

#include "worker/session/sides.h"
#include "base/protocol/report.h"

struct bm_check {
	const char *name;
	enum bm_side side;
	enum bm_severity severity;
	/* $1 of `sql`: what this statement gives at the other side. NULL: no parameter. */
	const char *feed;
	bool takes_tables; /* $1 of `sql` is the oid[] of the selected tables instead */
	bool only_both;	   /* matters with direction both only */
	bool hint_is_safe; /* the fix is a statement for this side that fix may run */
	/* What it means when the server refuses `sql` for lack of rights; NULL: nothing. */
	const char *refused, *refused_hint;
	const char *sql;
};

/* How what a table cannot say finds something. */
typedef void bm_preflight_find(void *ctx, enum bm_severity severity, const char *object,
		const char *why, const char *hint);

/* Owners and grants that would not come along as the source has them. */
int bm_preflight_roles(struct bm_phase *phase, bm_preflight_find *find, void *ctx,
		struct bm_error *err);

/* What cannot be made or written with an empty search_path; views that nobody can make. */
int bm_preflight_paths(struct bm_phase *phase, bm_preflight_find *find, void *ctx,
		struct bm_error *err);

/* Who can read what goes over the connection to a side, and who answers there. */
void bm_preflight_network(
		struct bm_phase *phase, enum bm_side side, bm_preflight_find *find, void *ctx);

/* The phase: preflight.c. */
int bm_preflight_run(struct bm_phase *phase, struct bm_error *err);

/* A finding when another machine owns the migration on one of the sides. */
void bm_preflight_identity(struct bm_phase *phase, bm_preflight_find *find, void *ctx);

/* Whether the journal was lost, and what that means. */
void bm_preflight_journal(struct bm_phase *phase, bm_preflight_find *find, void *ctx);

extern const struct bm_check bm_checks_rights[];
extern const size_t bm_check_rights_count;
extern const struct bm_check bm_checks_servers[];
extern const size_t bm_check_servers_count;
extern const struct bm_check bm_checks_tables[];
extern const size_t bm_check_tables_count;

#endif
