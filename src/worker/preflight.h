/*
 * preflight - the table of what is looked for before anything is touched
 *
 * A check is a statement at one end; each row it gives is a finding: object, why,
 * mend. Walked by preflight.c.
 */
#ifndef WORKER_PREFLIGHT_H
#define WORKER_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>

#include "worker/phase.h"
#include "worker/report.h"

struct bm_check {
	const char *name;
	enum bm_end end;
	enum bm_grade grade;
	/* $1 of `sql`: what this statement gives at the other end. NULL: no parameter. */
	const char *feed;
	bool takes_tables; /* $1 of `sql` is the oid[] of the chosen tables instead */
	bool only_both;	   /* matters with direction both only */
	bool mend_is_safe; /* the mend is a statement for this end that fix may run */
	/* What it means when the server refuses `sql` for lack of rights; NULL: nothing. */
	const char *refused, *refused_mend;
	const char *sql;
};

extern const struct bm_check bm_checks_rights[];
extern const size_t bm_check_rights_count;
extern const struct bm_check bm_checks_servers[];
extern const size_t bm_check_servers_count;
extern const struct bm_check bm_checks_tables[];
extern const size_t bm_check_tables_count;

#endif
