/* Constraints are the same when their definitions are, whatever they are called. */
#include <jansson.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "worker/drift/compare.h"

static bool is_key(const json_t *guard)
{
	return bm_compare_is_true(guard, "key");
}

/* Servers of two versions may write one expression in two ways: then the name decides. */
bool bm_compare_has_guard(
		const struct bm_comparison *it, const json_t *guards, const json_t *guard)
{
	size_t index;
	const json_t *other;

	json_array_foreach(guards, index, other)
	{
		if (bm_compare_is_same(guard, other, "same") ||
				(!it->exact && bm_compare_is_same(guard, other, "name"))) {
			return true;
		}
	}
	return false;
}

static const char *owner(const struct bm_comparison *it, const json_t *guard)
{
	return bm_compare_is_true(guard, "inherited") && it->top[0] != '\0' ? it->top
									    : it->table;
}

/* "DROP ..." or "ADD ..." for the follower. */
static char *remove_text(const struct bm_comparison *it, const json_t *guard)
{
	const char *removal = bm_compare_text(guard, "removal");

	return removal[0] != '\0' ? bm_format("on the %s: %s", it->follower, removal)
				  : bm_format("on the %s: ALTER TABLE %s DROP CONSTRAINT %s",
						    it->follower, owner(it, guard),
						    bm_compare_text(guard, "name"));
}

static char *create_text(const struct bm_comparison *it, const json_t *guard)
{
	const char *again = bm_compare_text(guard, "again");

	return again[0] != '\0' ? bm_format("on the %s: %s", it->follower, again)
				: bm_format("on the %s: ALTER TABLE %s ADD CONSTRAINT %s %s",
						  it->follower, owner(it, guard),
						  bm_compare_text(guard, "name"),
						  bm_compare_text(guard, "def"));
}

static char *describe(const json_t *guard, const char *side, const char *so)
{
	return bm_format("%s, %s, is on the %s only%s", bm_compare_text(guard, "name"),
			bm_compare_text(guard, "said"), side, so);
}

void bm_compare_guards(struct bm_comparison *it, const json_t *live, const json_t *follower)
{
	const json_t *ours = json_object_get(live, "guards");
	const json_t *theirs = json_object_get(follower, "guards");
	size_t index;
	const json_t *guard;

	json_array_foreach(theirs, index, guard)
	{
		if (!is_key(guard) && !bm_compare_has_guard(it, ours, guard)) {
			bm_compare_add(it,
					describe(guard, it->follower, ", and may refuse rows"),
					remove_text(it, guard), true);
		}
	}
	json_array_foreach(ours, index, guard)
	{
		if (!is_key(guard) && !bm_compare_has_guard(it, theirs, guard)) {
			bm_compare_add(it, describe(guard, it->live, ""),
					create_text(it, guard), false);
		}
	}
}
