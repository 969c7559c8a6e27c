/* The pure heart: rules for what every unit should be, and for the next action. */
#include "daemon/machine/plan.h"

#include "bucardo_machine/macros.h"

/* The one unit of a role; extras have no such thing. */
static const struct bm_plan_unit *unit_of(const struct bm_plan_input *in, enum bm_role role)
{
	for (size_t i = 0; i < in->unit_count; i++) {
		if (in->units[i].role == role) {
			return &in->units[i];
		}
	}
	return NULL;
}

static enum bm_unit_state state_of(const struct bm_plan_input *in, enum bm_role role)
{
	const struct bm_plan_unit *unit = unit_of(in, role);

	return unit != NULL ? unit->state : BM_UNIT_DOWN;
}

static bool is_stopped(const struct bm_plan_input *in, enum bm_role role)
{
	const struct bm_plan_unit *unit = unit_of(in, role);

	return unit != NULL && unit->stopped;
}

/* ---- what every unit should be ---- */

static bool is_settled(const struct bm_plan_unit *unit)
{
	return unit->retired ? !bm_unit_state_is_up(unit->state) : unit->state == BM_UNIT_READY;
}

static bool extras_before_are_settled(const struct bm_plan_input *in, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (in->units[i].role == BM_ROLE_EXTRA && !is_settled(&in->units[i])) {
			return false;
		}
	}
	return true;
}

/* A predecessor may hold the port. */
static bool wants_client(const struct bm_plan_input *in, size_t index)
{
	(void)index;
	for (size_t i = 0; i < in->unit_count; i++) {
		if (in->units[i].role == BM_ROLE_CLIENT && in->units[i].retired &&
				!is_settled(&in->units[i])) {
			return false;
		}
	}
	return true;
}

static bool wants_extra(const struct bm_plan_input *in, size_t index)
{
	return bm_unit_state_is_up(in->units[index].state) ||
			extras_before_are_settled(in, index);
}

static bool wants_postgres(const struct bm_plan_input *in, size_t index)
{
	enum bm_unit_state state = in->units[index].state;

	/* In BACKOFF the wish stays, or the pause between two tries would be lost. */
	return bm_unit_state_is_up(state) || state == BM_UNIT_BACKOFF ||
			(in->cluster == BM_CLUSTER_USABLE && in->postmaster_clear);
}

/*
 * A running Bucardo goes down with its control database and with nothing else: a
 * tunnel that died is a database out of reach, which Bucardo's health reports.
 */
static bool wants_bucardo(const struct bm_plan_input *in, size_t index)
{
	enum bm_unit_state state = in->units[index].state;

	if (state_of(in, BM_ROLE_POSTGRES) != BM_UNIT_READY || !in->installed) {
		return false;
	}
	return bm_unit_state_is_up(state) ||
			(in->tree_clear && in->databases_in_reach &&
					extras_before_are_settled(in, index));
}

static bool (*const wants[])(const struct bm_plan_input *in, size_t index) = {
		[BM_ROLE_CLIENT] = wants_client,
		[BM_ROLE_EXTRA] = wants_extra,
		[BM_ROLE_POSTGRES] = wants_postgres,
		[BM_ROLE_BUCARDO] = wants_bucardo,
};

/* Going down: a unit stays until all that come after it are down. */
static bool is_still_needed(const struct bm_plan_input *in, size_t index)
{
	if (!bm_unit_state_is_up(in->units[index].state)) {
		return false;
	}
	for (size_t i = index + 1; i < in->unit_count; i++) {
		if (bm_unit_state_is_up(in->units[i].state)) {
			return true;
		}
	}
	return false;
}

/* A unit an operator stopped still waits for what stands on it to go down first. */
static bool wants_unit(const struct bm_plan_input *in, size_t index)
{
	const struct bm_plan_unit *unit = &in->units[index];

	if (in->stopping) {
		return is_still_needed(in, index);
	}
	if (in->holding && unit->role != BM_ROLE_CLIENT) {
		return unit->role == BM_ROLE_EXTRA && !unit->stopped &&
				bm_unit_state_is_up(unit->state);
	}
	if (unit->stopped || unit->retired) {
		return unit->role == BM_ROLE_POSTGRES && is_still_needed(in, index);
	}
	if (unit->role == BM_ROLE_BUCARDO && is_stopped(in, BM_ROLE_POSTGRES)) {
		return false;
	}
	return wants[unit->role](in, index);
}

/* ---- the next action: the first rule that applies ---- */

static bool is_all_down(const struct bm_plan_input *in)
{
	for (size_t i = 0; i < in->unit_count; i++) {
		if (bm_unit_state_is_up(in->units[i].state)) {
			return false;
		}
	}
	return in->stopping;
}

static bool is_stopping(const struct bm_plan_input *in)
{
	return in->stopping;
}

static bool is_holding(const struct bm_plan_input *in)
{
	return in->holding;
}

static bool has_given_up(const struct bm_plan_input *in)
{
	for (size_t i = 0; i < in->unit_count; i++) {
		if (in->units[i].state == BM_UNIT_FAILED && !in->units[i].stopped) {
			return true;
		}
	}
	return false;
}

static bool may_have_old_tree(const struct bm_plan_input *in)
{
	return !in->tree_clear && !bm_unit_state_is_up(state_of(in, BM_ROLE_BUCARDO));
}

static bool lacks_cluster(const struct bm_plan_input *in)
{
	return in->cluster == BM_CLUSTER_ABSENT || in->cluster == BM_CLUSTER_INTERRUPTED;
}

static bool is_creating_cluster(const struct bm_plan_input *in)
{
	return in->creating_cluster;
}

static bool may_have_old_postmaster(const struct bm_plan_input *in)
{
	return !in->postmaster_clear && !bm_unit_state_is_up(state_of(in, BM_ROLE_POSTGRES));
}

static bool lacks_bucardo(const struct bm_plan_input *in)
{
	return !in->installed && !in->installing && in->install_may_retry &&
			state_of(in, BM_ROLE_POSTGRES) == BM_UNIT_READY;
}

static const struct rule {
	bool (*applies)(const struct bm_plan_input *in);
	enum bm_action action;
	const char *why;
} rules[] = {
		{is_all_down, BM_ACTION_EXIT, "everything is down"},
		{is_stopping, BM_ACTION_WAIT, "stopping"},
		{has_given_up, BM_ACTION_GIVE_UP, "a unit failed too often in a row"},
		{is_holding, BM_ACTION_WAIT, "holding"},
		{is_creating_cluster, BM_ACTION_WAIT, "initdb is at work"},
		{lacks_cluster, BM_ACTION_CREATE_CLUSTER, "the volume has no control cluster"},
		{may_have_old_postmaster, BM_ACTION_CLEAR_POSTMASTER,
				"an earlier postmaster may have left something"},
		{may_have_old_tree, BM_ACTION_CLEAR_TREE,
				"an earlier Bucardo may have left something"},
		{lacks_bucardo, BM_ACTION_INSTALL,
				"the control database is ready, Bucardo's settings are not"},
};

enum bm_action bm_plan(const struct bm_plan_input *in, bool *want, const char **why)
{
	for (size_t i = 0; i < in->unit_count; i++) {
		want[i] = wants_unit(in, i);
	}
	for (size_t i = 0; i < BM_COUNT_OF(rules); i++) {
		if (rules[i].applies(in)) {
			*why = rules[i].why;
			return rules[i].action;
		}
	}
	*why = "nothing to do";
	return BM_ACTION_WAIT;
}

const char *bm_action_name(enum bm_action action)
{
	static const char *const names[] = {
			[BM_ACTION_WAIT] = "wait",
			[BM_ACTION_EXIT] = "exit",
			[BM_ACTION_GIVE_UP] = "give-up",
			[BM_ACTION_CLEAR_TREE] = "clear-tree",
			[BM_ACTION_CREATE_CLUSTER] = "create-cluster",
			[BM_ACTION_CLEAR_POSTMASTER] = "clear-postmaster",
			[BM_ACTION_INSTALL] = "install-bucardo",
	};
	static_assert(BM_COUNT_OF(names) == BM_ACTION_COUNT, "an action has no name");

	return (size_t)action < BM_COUNT_OF(names) ? names[action] : "unknown";
}
