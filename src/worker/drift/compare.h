/* compare - two definitions of a table being compared; shared by the parts of drift.c.
 */
#ifndef WORKER_DRIFT_COMPARE_H
#define WORKER_DRIFT_COMPARE_H

#include <stdbool.h>

struct json_t;

struct bm_comparison {
	const char *table;
	const char *top; /* where the follower alters what is inherited */
	const char *live,
			*follower; /* "source", "destination": rows go from one to the other */
	bool exact;		   /* texts of expressions read the same on both */
	bool breaks, rewritten;	   /* what was found: as bm_drift_compare() returns it */
	struct json_t *out;
};

/* One difference: what differs, a statement and where it belongs. Takes over both texts. */
void bm_compare_add(struct bm_comparison *it, char *difference, char *hint, bool breaks);

/* The one that was added last: "twice", it is not paused, and what is applied may come out
 * otherwise, so all rows are sent again once it is fixed; "unsure", until it was seen rows may
 * have been lost: all are sent again then, also those that are gone. */
void bm_compare_flag(struct bm_comparison *it, const char *member);

/* "" when there is no such member. */
const char *bm_compare_text(const struct json_t *object, const char *member);
bool bm_compare_is_same(const struct json_t *a, const struct json_t *b, const char *member);
bool bm_compare_is_true(const struct json_t *object, const char *member);

/* Constraints and unique indexes: one that only the follower has may refuse rows. */
bool bm_compare_has_guard(const struct bm_comparison *it, const struct json_t *guards,
		const struct json_t *guard);
void bm_compare_guards(struct bm_comparison *it, const struct json_t *live,
		const struct json_t *follower);

/* Enums, domains, composites and ranges that columns are made of. */
void bm_compare_types(struct bm_comparison *it, const struct json_t *live,
		const struct json_t *follower);

/* Partitions and inheritance; triggers, rules and row security that act on what is applied. */
void bm_compare_surroundings(struct bm_comparison *it, const struct json_t *live,
		const struct json_t *follower);

#endif
