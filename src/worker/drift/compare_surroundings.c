/* What a table belongs to, and what acts on the rows that are applied to it. */
#include <jansson.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "worker/drift/compare.h"

/* ---- partitions and inheritance ---- */

static bool is_same_place(const json_t *a, const json_t *b)
{
	return bm_compare_is_same(a, b, "bound") && bm_compare_is_same(a, b, "parents");
}

/* Its bounds refuse what does not lie within them. */
static void compare_partition(
		struct bm_comparison *it, const json_t *live, const json_t *follower)
{
	const char *ours = bm_compare_text(live, "bound");
	const char *theirs = bm_compare_text(follower, "bound");

	if (theirs[0] != '\0') {
		const char *parent = bm_compare_text(follower, "parents");
		bm_compare_add(it,
				bm_format("it is a partition of %s %s on the %s only, and "
					  "takes no other rows there",
						parent, theirs, it->follower),
				bm_format("on the %s: ALTER TABLE %s DETACH PARTITION %s",
						it->follower, parent, it->table),
				true);
	}
	if (ours[0] != '\0') {
		const char *parent = bm_compare_text(live, "parents");
		bm_compare_add(it,
				bm_format("it is a partition of %s %s on the %s only", parent,
						ours, it->live),
				bm_format("on the %s: ALTER TABLE %s ATTACH PARTITION %s %s",
						it->follower, parent, it->table, ours),
				false);
	}
}

/* Children are replicated by themselves, so that nothing is refused. */
static void compare_parents(
		struct bm_comparison *it, const json_t *live, const json_t *follower)
{
	const char *ours = bm_compare_text(live, "parents");
	const char *theirs = bm_compare_text(follower, "parents");
	char *hint = theirs[0] == '\0' ? bm_format("on the %s: ALTER TABLE %s INHERIT %s",
							 it->follower, it->table, ours)
			: ours[0] == '\0'
			? bm_format("on the %s: ALTER TABLE %s NO INHERIT %s", it->follower,
					  it->table, theirs)
			: bm_format("on the %s: ALTER TABLE %s NO INHERIT what the other does "
				    "not name, INHERIT what is missing",
					  it->follower, it->table);

	bm_compare_add(it,
			bm_format("it inherits from (%s) on the %s and from (%s) on the %s",
					ours, it->live, theirs, it->follower),
			hint, false);
}

/* ---- triggers, rules, row security ---- */

/* The live side has it too, and rows have been through it there. */
static bool was_applied(const json_t *live, const json_t *alarm)
{
	const json_t *alarms = json_object_get(live, "alarms");
	size_t index;
	const json_t *other;

	json_array_foreach(alarms, index, other)
	{
		if (bm_compare_is_same(other, alarm, "what") &&
				bm_compare_is_same(other, alarm, "name") &&
				bm_compare_is_same(other, alarm, "def") &&
				bm_compare_text(other, "enabled")[0] == 'A') {
			return true;
		}
	}
	return false;
}

/* What a function of a trigger does nobody can tell: one that rows have been through on the
 * live side as well is told, one that they have not may change or drop them. */
static void report_trigger(struct bm_comparison *it, const json_t *live, const json_t *trigger)
{
	const char *name = bm_compare_text(trigger, "name");
	bool breaks = bm_compare_is_true(trigger, "rewrites") && !was_applied(live, trigger);

	bool is_twice = !breaks && bm_compare_is_true(trigger, "acts");

	bm_compare_add(it,
			bm_format("trigger %s fires for what replication writes to the %s, %s%s",
					name, it->follower,
					breaks ? "and may change or drop rows"
					       : "a second time",
					is_twice && bm_compare_is_true(trigger, "rewrites")
							? ": it may change rows once more"
							: ""),
			bm_format("on the %s: ALTER TABLE %s ENABLE TRIGGER %s", it->follower,
					it->table, name),
			breaks);
	if (is_twice || breaks) {
		bm_compare_flag(it, breaks ? "unsure" : "twice");
	}
}

static void report_rule(struct bm_comparison *it, const json_t *rule)
{
	const char *name = bm_compare_text(rule, "name");
	bool breaks = bm_compare_is_true(rule, "rewrites");

	bm_compare_add(it,
			bm_format("rule %s holds for what replication deletes on the %s%s",
					name, it->follower,
					breaks ? ": rows that are gone would stay" : ""),
			bm_format("on the %s: ALTER TABLE %s ENABLE RULE %s", it->follower,
					it->table, name),
			breaks);
	if (breaks) {
		bm_compare_flag(it, "unsure");
	}
}

static void report_hidden(struct bm_comparison *it, const json_t *alarm, const char *side)
{
	const char *role = bm_compare_text(alarm, "name");
	bool is_forced = bm_compare_text(alarm, "enabled")[0] == 'F';

	bm_compare_add(it,
			bm_format("row security hides rows from role %s on the %s", role, side),
			is_forced ? bm_format("on the %s: ALTER TABLE %s NO FORCE ROW LEVEL "
					      "SECURITY",
						    side, it->table)
				  : bm_format("on the %s: ALTER ROLE %s BYPASSRLS", side, role),
			true);
	bm_compare_flag(it, "unsure");
}

static bool is_of(const json_t *alarm, const char *what)
{
	return strcmp(bm_compare_text(alarm, "what"), what) == 0;
}

static void compare_alarms(struct bm_comparison *it, const json_t *live, const json_t *follower)
{
	size_t index;
	const json_t *alarm;

	json_array_foreach(json_object_get(follower, "alarms"), index, alarm)
	{
		if (is_of(alarm, "trigger")) {
			report_trigger(it, live, alarm);
		} else if (is_of(alarm, "rule")) {
			report_rule(it, alarm);
		} else {
			report_hidden(it, alarm, it->follower);
		}
	}
	/* A row that cannot be read would be deleted, and not written again. */
	json_array_foreach(json_object_get(live, "alarms"), index, alarm)
	{
		if (is_of(alarm, "hidden")) {
			report_hidden(it, alarm, it->live);
		}
	}
}

void bm_compare_surroundings(
		struct bm_comparison *it, const json_t *live, const json_t *follower)
{
	bool is_partition = bm_compare_text(live, "bound")[0] != '\0' ||
			bm_compare_text(follower, "bound")[0] != '\0';

	if (!is_same_place(live, follower)) {
		if (is_partition) {
			compare_partition(it, live, follower);
		} else {
			compare_parents(it, live, follower);
		}
	}
	compare_alarms(it, live, follower);
}
