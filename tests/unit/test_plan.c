/* The plan: what every unit should be, and which action comes next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/machine/plan.h"
#include "bucardo_machine/roles.h"

enum { HTTP, TUNNEL, POSTGRES, BUCARDO, COUNT };

/* A world in which everything that can be prepared is prepared. */
struct world {
	struct bm_plan_unit units[COUNT];
	struct bm_plan_input in;
	bool want[COUNT];
	const char *why;
};

static void make_world(struct world *w)
{
	*w = (struct world){
			.units = {{BM_ROLE_CLIENT, BM_UNIT_READY, false, false},
					{BM_ROLE_EXTRA, BM_UNIT_READY, false, false},
					{BM_ROLE_POSTGRES, BM_UNIT_READY, false, false},
					{BM_ROLE_BUCARDO, BM_UNIT_READY, false, false}},
			.in = {.cluster = BM_CLUSTER_USABLE,
					.postmaster_clear = true,
					.tree_clear = true,
					.installed = true,
					.install_may_retry = true,
					.databases_in_reach = true,
					.unit_count = COUNT},
	};
}

static enum bm_action plan(struct world *w)
{
	w->in.units = w->units;
	return bm_plan(&w->in, w->want, &w->why);
}

static void make_cold_world(struct world *w)
{
	make_world(w);
	for (int i = 0; i < COUNT; i++) {
		w->units[i].state = BM_UNIT_DOWN;
	}
	w->in.postmaster_clear = w->in.tree_clear = w->in.installed = false;
}

static void test_wants_everything_up_and_waits_when_all_is_well(void **state)
{
	(void)state;
	struct world w;

	make_world(&w);
	assert_int_equal(plan(&w), BM_ACTION_WAIT);
	assert_true(w.want[TUNNEL] && w.want[POSTGRES] && w.want[BUCARDO]);
}

static void test_creates_a_cluster_on_an_empty_volume_before_anything_starts(void **state)
{
	(void)state;
	struct world w;

	make_cold_world(&w);
	w.in.cluster = BM_CLUSTER_ABSENT;
	assert_int_equal(plan(&w), BM_ACTION_CREATE_CLUSTER);
	assert_false(w.want[POSTGRES]);
	assert_false(w.want[BUCARDO]);
	w.in.creating_cluster = true;
	assert_int_equal(plan(&w), BM_ACTION_WAIT);
}

static void test_redoes_an_initdb_that_was_cut_off(void **state)
{
	(void)state;
	struct world w;

	make_cold_world(&w);
	w.in.cluster = BM_CLUSTER_INTERRUPTED;
	assert_int_equal(plan(&w), BM_ACTION_CREATE_CLUSTER);
}

static void test_clears_leftovers_before_it_starts_postgres(void **state)
{
	(void)state;
	struct world w;

	make_cold_world(&w);
	assert_int_equal(plan(&w), BM_ACTION_CLEAR_POSTMASTER);
	assert_false(w.want[POSTGRES]);
	w.in.postmaster_clear = true;
	assert_int_equal(plan(&w), BM_ACTION_CLEAR_TREE);
	assert_true(w.want[POSTGRES]);
}

static void test_installs_when_postgres_is_ready_and_starts_bucardo_after_that(void **state)
{
	(void)state;
	struct world w;

	make_world(&w);
	w.units[BUCARDO].state = BM_UNIT_DOWN;
	w.in.installed = false;
	assert_int_equal(plan(&w), BM_ACTION_INSTALL);
	assert_false(w.want[BUCARDO]);
	w.in.installing = true;
	assert_int_equal(plan(&w), BM_ACTION_WAIT);
	w.in.installing = false;
	w.in.installed = true;
	assert_int_equal(plan(&w), BM_ACTION_WAIT);
	assert_true(w.want[BUCARDO]);
}

static void test_takes_bucardo_down_when_its_control_database_is_not_ready(void **state)
{
	(void)state;
	struct world w;

	make_world(&w);
	w.units[POSTGRES].state = BM_UNIT_BACKOFF;
	plan(&w);
	assert_false(w.want[BUCARDO]);
	assert_true(w.want[POSTGRES]);
}

static void test_leaves_a_running_bucardo_alone_when_a_tunnel_dies(void **state)
{
	(void)state;
	struct world w;

	make_world(&w);
	w.units[TUNNEL].state = BM_UNIT_BACKOFF;
	plan(&w);
	assert_true(w.want[BUCARDO]);
	assert_true(w.want[TUNNEL]);
	w.units[BUCARDO].state = BM_UNIT_DOWN;
	plan(&w);
	assert_false(w.want[BUCARDO]);
}

static void test_does_not_start_bucardo_while_no_database_is_in_reach(void **state)
{
	(void)state;
	struct world w;

	make_world(&w);
	w.units[BUCARDO].state = BM_UNIT_BACKOFF;
	w.in.databases_in_reach = false;
	plan(&w);
	assert_false(w.want[BUCARDO]);
	w.in.databases_in_reach = true;
	plan(&w);
	assert_true(w.want[BUCARDO]);
}

static void test_keeps_what_an_operator_stopped_down(void **state)
{
	(void)state;
	struct world w;

	make_world(&w);
	w.units[BUCARDO].stopped = true;
	plan(&w);
	assert_false(w.want[BUCARDO]);
	assert_true(w.want[POSTGRES]);
}

static void test_takes_bucardo_down_before_a_postgres_that_an_operator_stopped(void **state)
{
	(void)state;
	struct world w;

	make_world(&w);
	w.units[POSTGRES].stopped = true;
	plan(&w);
	assert_false(w.want[BUCARDO]);
	assert_true(w.want[POSTGRES]);
	w.units[BUCARDO].state = BM_UNIT_DOWN;
	plan(&w);
	assert_false(w.want[POSTGRES]);
}

static void test_stops_in_reverse_order_and_exits_last(void **state)
{
	(void)state;
	struct world w;

	make_world(&w);
	w.in.stopping = true;
	for (int last = BUCARDO; last >= HTTP; last--) {
		assert_int_equal(plan(&w), BM_ACTION_WAIT);
		for (int i = 0; i < COUNT; i++) {
			assert_int_equal(w.want[i], i < last);
		}
		w.units[last].state = BM_UNIT_STOPPING;
		plan(&w);
		assert_true(last == HTTP || w.want[last - 1]);
		w.units[last].state = BM_UNIT_DOWN;
	}
	assert_int_equal(plan(&w), BM_ACTION_EXIT);
}

static void test_a_stop_does_not_wait_for_an_installation(void **state)
{
	(void)state;
	struct world w;

	make_cold_world(&w);
	w.in.stopping = true;
	w.in.installing = true;
	assert_int_equal(plan(&w), BM_ACTION_EXIT);
}

static void test_a_replaced_extra_waits_until_its_predecessor_is_down(void **state)
{
	(void)state;
	struct bm_plan_unit units[] = {{BM_ROLE_EXTRA, BM_UNIT_STOPPING, false, true},
			{BM_ROLE_EXTRA, BM_UNIT_DOWN, false, false},
			{BM_ROLE_POSTGRES, BM_UNIT_READY, false, false},
			{BM_ROLE_BUCARDO, BM_UNIT_READY, false, false}};
	struct world w;

	make_world(&w);
	w.in.unit_count = 4;
	w.in.units = units;
	bool want[4];
	bm_plan(&w.in, want, &w.why);
	assert_false(want[0] || want[1]);
	assert_true(want[3]);
	units[0].state = BM_UNIT_DOWN;
	bm_plan(&w.in, want, &w.why);
	assert_true(want[1]);
}

static void test_touches_nothing_while_it_holds(void **state)
{
	(void)state;
	struct world w;

	make_cold_world(&w);
	w.in.cluster = BM_CLUSTER_ABSENT;
	w.in.holding = true;
	assert_int_equal(plan(&w), BM_ACTION_WAIT);
	assert_false(w.want[TUNNEL] || w.want[POSTGRES] || w.want[BUCARDO]);
	assert_true(w.want[HTTP]);
}

static void test_nothing_waits_for_http_and_it_waits_for_its_predecessor_alone(void **state)
{
	(void)state;
	struct bm_plan_unit units[] = {{BM_ROLE_CLIENT, BM_UNIT_DOWN, false, false},
			{BM_ROLE_CLIENT, BM_UNIT_STOPPING, false, true},
			{BM_ROLE_POSTGRES, BM_UNIT_READY, false, false},
			{BM_ROLE_BUCARDO, BM_UNIT_DOWN, false, false}};
	struct world w;

	make_world(&w);
	w.in.units = units;
	bm_plan(&w.in, w.want, &w.why);
	assert_false(w.want[0] || w.want[1]);
	assert_true(w.want[2] && w.want[3]);
	units[1].state = BM_UNIT_DOWN;
	bm_plan(&w.in, w.want, &w.why);
	assert_true(w.want[0]);
	units[0].state = BM_UNIT_BACKOFF;
	bm_plan(&w.in, w.want, &w.why);
	assert_true(w.want[0] && w.want[2] && w.want[3]);
}

static void test_starts_extras_one_after_the_other(void **state)
{
	(void)state;
	struct bm_plan_unit units[] = {{BM_ROLE_EXTRA, BM_UNIT_STARTING, false, false},
			{BM_ROLE_EXTRA, BM_UNIT_DOWN, false, false},
			{BM_ROLE_POSTGRES, BM_UNIT_DOWN, false, false},
			{BM_ROLE_BUCARDO, BM_UNIT_DOWN, false, false}};
	struct bm_plan_input in = {.cluster = BM_CLUSTER_USABLE,
			.postmaster_clear = true,
			.tree_clear = true,
			.unit_count = 4,
			.units = units};
	bool want[4];
	const char *why;

	bm_plan(&in, want, &why);
	assert_true(want[0]);
	assert_false(want[1]);
	assert_true(want[2]);
	units[0].state = BM_UNIT_READY;
	bm_plan(&in, want, &why);
	assert_true(want[1]);
}

static void test_gives_up_when_a_unit_did(void **state)
{
	(void)state;
	struct world w;

	make_world(&w);
	w.units[TUNNEL].state = BM_UNIT_FAILED;
	assert_int_equal(plan(&w), BM_ACTION_GIVE_UP);
}

/* Every combination of observations has an answer, and none starts what must not run. */
static void test_never_wants_bucardo_without_postgres_in_any_state(void **state)
{
	(void)state;
	for (int bits = 0; bits < 512; bits++) {
		for (int p = 0; p < BM_UNIT_STATE_COUNT; p++) {
			for (int b = 0; b < BM_UNIT_STATE_COUNT; b++) {
				struct world w;
				make_world(&w);
				w.units[POSTGRES].state = (enum bm_unit_state)p;
				w.units[BUCARDO].state = (enum bm_unit_state)b;
				w.in.holding = (bits & 1) != 0;
				w.in.installed = (bits & 2) != 0;
				w.in.installing = (bits & 4) != 0;
				w.in.postmaster_clear = (bits & 8) != 0;
				w.in.tree_clear = (bits & 16) != 0;
				w.in.databases_in_reach = (bits & 32) != 0;
				w.units[POSTGRES].stopped = (bits & 64) != 0;
				w.units[BUCARDO].stopped = (bits & 128) != 0;
				w.in.creating_cluster = (bits & 256) != 0;
				enum bm_action action = plan(&w);
				assert_non_null(w.why);
				assert_string_not_equal(bm_action_name(action), "unknown");
				if (w.want[BUCARDO]) {
					assert_int_equal(p, BM_UNIT_READY);
					assert_true(w.in.installed && !w.in.holding);
				}
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_wants_everything_up_and_waits_when_all_is_well),
			cmocka_unit_test(
					test_creates_a_cluster_on_an_empty_volume_before_anything_starts),
			cmocka_unit_test(test_redoes_an_initdb_that_was_cut_off),
			cmocka_unit_test(test_clears_leftovers_before_it_starts_postgres),
			cmocka_unit_test(
					test_installs_when_postgres_is_ready_and_starts_bucardo_after_that),
			cmocka_unit_test(
					test_takes_bucardo_down_when_its_control_database_is_not_ready),
			cmocka_unit_test(
					test_leaves_a_running_bucardo_alone_when_a_tunnel_dies),
			cmocka_unit_test(
					test_does_not_start_bucardo_while_no_database_is_in_reach),
			cmocka_unit_test(test_keeps_what_an_operator_stopped_down),
			cmocka_unit_test(
					test_takes_bucardo_down_before_a_postgres_that_an_operator_stopped),
			cmocka_unit_test(test_stops_in_reverse_order_and_exits_last),
			cmocka_unit_test(test_a_stop_does_not_wait_for_an_installation),
			cmocka_unit_test(
					test_a_replaced_extra_waits_until_its_predecessor_is_down),
			cmocka_unit_test(test_touches_nothing_while_it_holds),
			cmocka_unit_test(
					test_nothing_waits_for_http_and_it_waits_for_its_predecessor_alone),
			cmocka_unit_test(test_starts_extras_one_after_the_other),
			cmocka_unit_test(test_gives_up_when_a_unit_did),
			cmocka_unit_test(
					test_never_wants_bucardo_without_postgres_in_any_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
