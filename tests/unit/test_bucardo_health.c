/* A sync is evaluated by what moves, and repaired one step at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/health/health.h"
#include "daemon/health/escalation.h"
#include "bucardo_machine/macros.h"

#define STALLED_AFTER 20000
#define START 1000000 /* bm_clock_msec() at the first sample */

static const size_t both[] = {0, 1};

static struct bm_db_sample dbs[2];
static struct bm_sync_sample sync;
static struct bm_observation seen;
static struct sync_history history;
static struct health_limits limits;
static struct bm_strbuf why, advice;

static int set_up(void **state)
{
	(void)state;
	dbs[0] = (struct bm_db_sample){"src", BM_REACH_YES, "", START, "source"};
	dbs[1] = (struct bm_db_sample){"dst", BM_REACH_YES, "", START, "target"};
	sync = (struct bm_sync_sample){.name = "app",
			.active = true,
			.autokick = true,
			.db_count = 2,
			.dbs = both,
			.run_age_msec = -1,
			.run_status = "",
			.run_moved = -1,
			.good_age_msec = 1000,
			.bad_age_msec = -1,
			.bad_text = "",
			.blocker_query = "",
			.blocker_db = ""};
	seen = (struct bm_observation){START, 2, dbs, 1, &sync};
	history = (struct sync_history){0};
	limits = (struct health_limits){.stalled_after_msec = STALLED_AFTER,
			.ready_msec = START - 5000,
			.escalation = true};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bm_strbuf_finish(&why);
	bm_strbuf_finish(&advice);
	return 0;
}

/* The health `msec` after the start, the sample being what it is now. */
static enum bm_health at(uint64_t msec)
{
	seen.taken_msec = START + msec;
	health_remember(&history, &sync, seen.taken_msec);
	return health_evaluate(&history, &sync, &seen, &limits, &why, &advice);
}

/* The same, with the last good run fixed in time. */
static enum bm_health at_with_good_before(uint64_t msec)
{
	sync.good_age_msec = (int64_t)msec + 1000;
	return at(msec);
}

static void test_is_idle_when_nothing_waits(void **state)
{
	(void)state;
	assert_int_equal(at(0), BM_HEALTH_IDLE);
	assert_string_equal(bm_strbuf_text(&why), "");
	assert_int_equal(at_with_good_before(3600000), BM_HEALTH_IDLE);
}

static void test_is_running_while_a_run_works_on_fresh_rows(void **state)
{
	(void)state;
	sync.backlog_rows = 10;
	sync.lag_msec = 300;
	sync.run_open = true;
	sync.run_status = "Begin txn";
	assert_int_equal(at(0), BM_HEALTH_RUNNING);
}

static void test_is_catching_up_while_an_old_backlog_moves(void **state)
{
	(void)state;
	sync.backlog_rows = 500000;
	sync.lag_msec = 60000;
	sync.run_open = true;
	sync.run_status = "Copying from src.public.t";
	for (int i = 0; i < 100; i++) {
		sync.run_moved = 1000 + i;
		assert_int_equal(
				at_with_good_before((uint64_t)i * 1000), BM_HEALTH_CATCHING_UP);
	}
}

static void test_is_stalled_when_rows_wait_and_nothing_moves(void **state)
{
	(void)state;
	sync.backlog_rows = 7;
	sync.lag_msec = 500;
	assert_int_equal(at_with_good_before(0), BM_HEALTH_RUNNING);
	for (uint64_t t = 1000; t < STALLED_AFTER; t += 1000) {
		sync.lag_msec = (int64_t)t;
		assert_int_not_equal(at_with_good_before(t), BM_HEALTH_STALLED);
	}
	sync.lag_msec = STALLED_AFTER;
	assert_int_equal(at_with_good_before(STALLED_AFTER), BM_HEALTH_STALLED);
	assert_non_null(strstr(bm_strbuf_text(&why), "7 rows wait"));
}

static void test_a_growing_backlog_alone_is_no_progress(void **state)
{
	(void)state;
	enum bm_health health = BM_HEALTH_UNKNOWN;

	for (uint64_t t = 0; t <= STALLED_AFTER; t += 1000) {
		sync.backlog_rows = 5 + (int64_t)t;
		sync.lag_msec = (int64_t)t;
		health = at_with_good_before(t);
	}
	assert_int_equal(health, BM_HEALTH_STALLED);
}

static void test_runs_that_end_well_are_progress_under_constant_load(void **state)
{
	(void)state;
	sync.backlog_rows = 100;
	for (uint64_t t = 0; t <= 100000; t += 1000) {
		sync.lag_msec = 400 + (int64_t)(t % 3000);
		sync.good_age_msec = 200;
		assert_int_equal(at(t), BM_HEALTH_RUNNING);
	}
}

static void test_a_stall_does_not_begin_before_bucardo_is_ready(void **state)
{
	(void)state;
	sync.backlog_rows = 7;
	sync.lag_msec = 3600000;
	limits.ready_msec = 0;
	assert_int_equal(at_with_good_before(0), BM_HEALTH_CATCHING_UP);
	assert_int_equal(at_with_good_before(100000), BM_HEALTH_CATCHING_UP);
	limits.ready_msec = START + 100000;
	assert_int_equal(at_with_good_before(101000), BM_HEALTH_CATCHING_UP);
	assert_int_equal(at_with_good_before(120000), BM_HEALTH_STALLED);
}

static void test_an_open_run_without_visible_progress_gets_longer(void **state)
{
	(void)state;
	sync.backlog_rows = 1000000;
	sync.lag_msec = 100000;
	sync.run_open = true;
	sync.run_status = "Counting all deltas on db src";
	at_with_good_before(0);
	assert_int_equal(at_with_good_before(STALLED_AFTER + 1000), BM_HEALTH_CATCHING_UP);
	assert_int_equal(at_with_good_before(10 * STALLED_AFTER), BM_HEALTH_STALLED);
	assert_non_null(strstr(bm_strbuf_text(&why), "Counting all deltas"));
}

static void test_autokick_off_is_a_sync_in_the_making(void **state)
{
	(void)state;
	sync.autokick = false;
	sync.backlog_rows = 12345;
	sync.lag_msec = 3600000;
	at_with_good_before(0);
	assert_int_equal(at_with_good_before(3600000), BM_HEALTH_IDLE);
	assert_non_null(strstr(bm_strbuf_text(&advice), "bucardo update sync app autokick=1"));
}

static void test_a_database_that_is_away_is_named_with_its_error(void **state)
{
	(void)state;
	dbs[1].reach = BM_REACH_NO;
	dbs[1].error = "Connection refused";
	sync.backlog_rows = 5;
	sync.lag_msec = 100000;
	assert_int_equal(at(60000), BM_HEALTH_UNREACHABLE);
	assert_string_equal(bm_strbuf_text(&why),
			"database 'dst' is unreachable for 1 min: Connection refused");
}

static void test_no_stall_begins_while_a_database_is_away(void **state)
{
	(void)state;
	sync.backlog_rows = 5;
	sync.lag_msec = 1000;
	dbs[1].reach = BM_REACH_NO;
	at_with_good_before(0);
	at_with_good_before(600000);
	dbs[1].reach = BM_REACH_YES;
	sync.lag_msec = 601000;
	assert_int_equal(at_with_good_before(601000), BM_HEALTH_CATCHING_UP);
	sync.lag_msec = 700000;
	assert_int_equal(at_with_good_before(700000), BM_HEALTH_STALLED);
}

static void test_a_foreign_lock_is_shown_with_its_holder(void **state)
{
	(void)state;
	sync.backlog_rows = 5;
	sync.lag_msec = 100000;
	sync.run_open = true;
	sync.blocker_pid = 4711;
	sync.blocker_query = "LOCK TABLE t";
	sync.blocker_db = "dst";
	at_with_good_before(0);
	assert_int_equal(at_with_good_before(10 * STALLED_AFTER), BM_HEALTH_BLOCKED);
	assert_non_null(strstr(bm_strbuf_text(&why), "backend 4711: LOCK TABLE t"));
	assert_non_null(strstr(bm_strbuf_text(&advice), "pg_terminate_backend(4711)"));
}

static void test_a_permanent_error_is_failing_until_a_good_run(void **state)
{
	(void)state;
	sync.backlog_rows = 5;
	sync.lag_msec = 100000;
	sync.good_age_msec = 50000;
	sync.bad_age_msec = 2000;
	sync.bad_text = "Failed : ERROR:  extra data after last expected column";
	sync.recent_failures = 1;
	assert_int_equal(at(0), BM_HEALTH_FAILING);
	assert_true(bm_strbuf_text(&advice)[0] != '\0');
	sync.good_age_msec = 1000;
	assert_int_equal(at(1000), BM_HEALTH_CATCHING_UP);
}

static void test_an_error_is_told_without_the_row_and_the_wrapping(void **state)
{
	(void)state;
	sync.good_age_msec = 50000;
	sync.bad_age_msec = 2000;
	sync.recent_failures = 1;
	sync.bad_text = "DBD::Pg::db pg_putcopyend failed: ERROR:  extra data after last expected "
			"column\\nCONTEXT:  COPY actor, line 1: \"2\tNICK\tred\" at "
			"/usr/share/perl5/Bucardo.pm line 10118. Line: 5037 Main DB state: ?";
	assert_int_equal(at(0), BM_HEALTH_FAILING);
	assert_string_equal(bm_strbuf_text(&why),
			"its runs fail: extra data after last expected column; CONTEXT:  COPY actor, "
			"line 1");
	sync.bad_text = "SQLSTATE 22P04 at public.t on app_source: DBD::Pg::db do failed: "
			"ERROR:  extra data after last expected column at -e line 751.";
	assert_int_equal(at(0), BM_HEALTH_FAILING);
	assert_string_equal(bm_strbuf_text(&why),
			"its runs fail: extra data after last expected column");
}

static void test_a_passing_error_is_failing_only_when_it_comes_for_ever(void **state)
{
	(void)state;
	sync.good_age_msec = 50000;
	sync.bad_age_msec = 2000;
	sync.bad_text = "ERROR:  could not serialize access due to concurrent update";
	sync.recent_failures = 5;
	assert_int_equal(at(0), BM_HEALTH_IDLE);
	sync.recent_failures = 100;
	assert_int_equal(at(1000), BM_HEALTH_FAILING);
	assert_non_null(strstr(bm_strbuf_text(&advice), "again and again"));
}

static void test_inactive_or_stopped_is_stopped(void **state)
{
	(void)state;
	sync.active = false;
	assert_int_equal(at(0), BM_HEALTH_STOPPED);
	assert_non_null(strstr(bm_strbuf_text(&advice), "bucardo activate app"));
	sync.active = true;
	limits.stopped = true;
	assert_int_equal(at(1000), BM_HEALTH_STOPPED);
}

static void test_a_sync_that_its_migration_holds_back_is_not_advised_to_be_activated(
		void **state)
{
	(void)state;
	sync.active = false;
	limits.held = true;
	assert_int_equal(at(0), BM_HEALTH_STOPPED);
	assert_null(strstr(bm_strbuf_text(&advice), "bucardo activate"));
	assert_non_null(strstr(bm_strbuf_text(&why), "has not begun to replicate"));
	limits.is_migration_paused = true;
	assert_int_equal(at(0), BM_HEALTH_STOPPED);
	assert_non_null(strstr(bm_strbuf_text(&why), "its migration is paused"));
	assert_non_null(strstr(bm_strbuf_text(&advice), "bucardo-machine resume"));
}

static void test_a_sync_whose_tables_are_all_paused_points_to_its_migration(void **state)
{
	(void)state;
	sync.active = false;
	limits.declared = true;
	assert_int_equal(at(0), BM_HEALTH_STOPPED);
	assert_non_null(strstr(bm_strbuf_text(&why), "all of its tables are paused"));
	assert_non_null(strstr(bm_strbuf_text(&advice), "its migration says which"));
}

static void test_an_unknown_backlog_is_no_health(void **state)
{
	(void)state;
	sync.backlog_rows = -1;
	assert_int_equal(at(0), BM_HEALTH_UNKNOWN);
}

/* ---- the escalation ---- */

static void test_climbs_every_step_in_order_and_then_holds(void **state)
{
	(void)state;
	struct escalation_state escalation = {BM_ESCALATION_NONE, 0};
	enum bm_escalation expected = BM_ESCALATION_KICK;

	for (uint64_t t = START; t < START + 600000; t += 1000) {
		enum bm_escalation next = escalation_next(
				&escalation, BM_HEALTH_STALLED, START, t, 1);
		if (next != BM_ESCALATION_NONE) {
			assert_int_equal(next, expected);
			escalation_taken(&escalation, next, t);
			expected++;
		}
	}
	assert_int_equal(escalation.step, BM_ESCALATION_HOLD);
}

static void test_a_step_gets_more_time_on_a_slow_host(void **state)
{
	(void)state;
	struct escalation_state escalation = {BM_ESCALATION_KICK, START};

	assert_int_equal(escalation_next(&escalation, BM_HEALTH_STALLED, START, START + 100000,
					 10),
			BM_ESCALATION_NONE);
	assert_int_equal(escalation_next(&escalation, BM_HEALTH_STALLED, START, START + 150000,
					 10),
			BM_ESCALATION_RELOAD_SYNC);
}

static void test_climbs_for_nothing_but_a_stall(void **state)
{
	(void)state;
	struct escalation_state escalation = {BM_ESCALATION_KICK, START};

	for (int health = 0; health < BM_HEALTH_COUNT; health++) {
		enum bm_escalation next = escalation_next(
				&escalation, (enum bm_health)health, START, START * 2, 1);
		assert_int_equal(next,
				health == BM_HEALTH_STALLED ? BM_ESCALATION_RELOAD_SYNC
							    : BM_ESCALATION_NONE);
	}
}

static void test_a_restart_is_not_held_against_the_last_step(void **state)
{
	(void)state;
	struct escalation_state escalation = {BM_ESCALATION_RESTART_TREE, START};
	uint64_t steady = START + 300000;

	assert_int_equal(escalation_next(&escalation, BM_HEALTH_STALLED, steady, steady + 1000,
					 1),
			BM_ESCALATION_NONE);
	assert_int_equal(escalation_next(&escalation, BM_HEALTH_STALLED, steady,
					 steady + 100000, 1),
			BM_ESCALATION_RESTART_POSTGRES);
}

static void test_a_restart_that_helps_nothing_is_followed_by_the_next_step(void **state)
{
	(void)state;
	struct escalation_state escalation = {BM_ESCALATION_RESTART_TREE, START};

	assert_false(escalation_is_over(&escalation, BM_HEALTH_CATCHING_UP, START - 1000,
			START + 2000, START + 60000));
	assert_false(escalation_is_over(&escalation, BM_HEALTH_STALLED, START - 1000,
			START + 2000, START + 60000));
	assert_true(escalation_is_over(&escalation, BM_HEALTH_RUNNING, START + 3000,
			START + 2000, START + 60000));
	assert_true(escalation_is_over(&escalation, BM_HEALTH_BLOCKED, START - 1000,
			START + 2000, START + 60000));
	assert_true(escalation_is_over(&escalation, BM_HEALTH_UNREACHABLE, START - 1000,
			START + 2000, START + 60000));
}

static void test_after_hold_a_persons_restart_begins_anew(void **state)
{
	(void)state;
	struct escalation_state escalation = {BM_ESCALATION_HOLD, START};

	assert_false(escalation_is_over(
			&escalation, BM_HEALTH_STALLED, 0, START - 1, START + 60000));
	assert_true(escalation_is_over(
			&escalation, BM_HEALTH_CATCHING_UP, 0, START + 1, START + 2));
}

static void test_after_hold_all_is_tried_again_in_a_while(void **state)
{
	(void)state;
	struct escalation_state escalation = {BM_ESCALATION_HOLD, START};

	assert_false(escalation_is_over(&escalation, BM_HEALTH_STALLED, 0, 0, START + 599000));
	assert_true(escalation_is_over(&escalation, BM_HEALTH_STALLED, 0, 0, START + 600000));
}

static void test_who_has_climbed_nothing_has_nothing_to_forget(void **state)
{
	(void)state;
	struct escalation_state escalation = {BM_ESCALATION_NONE, 0};

	assert_false(escalation_is_over(
			&escalation, BM_HEALTH_IDLE, START, START, START + 60000));
}

static void test_rows_that_begin_to_wait_after_a_long_quiet_are_no_stall(void **state)
{
	(void)state;
	assert_int_equal(at_with_good_before(0), BM_HEALTH_IDLE);
	sync.backlog_rows = 1;
	sync.lag_msec = 100;
	assert_int_equal(at_with_good_before(3 * STALLED_AFTER), BM_HEALTH_RUNNING);
	sync.lag_msec = STALLED_AFTER + 100;
	assert_int_equal(at_with_good_before(4 * STALLED_AFTER), BM_HEALTH_STALLED);
}

static void test_a_stall_says_what_happens_next(void **state)
{
	(void)state;
	sync.backlog_rows = 7;
	sync.lag_msec = STALLED_AFTER;
	at_with_good_before(0);
	assert_int_equal(at_with_good_before(STALLED_AFTER), BM_HEALTH_STALLED);
	assert_non_null(strstr(bm_strbuf_text(&advice), "wait: the machine kicks it"));
	limits.escalation = false;
	assert_int_equal(at_with_good_before(STALLED_AFTER), BM_HEALTH_STALLED);
	assert_non_null(strstr(bm_strbuf_text(&advice), "bucardo kick app"));
}

static void test_names_are_those_of_the_status(void **state)
{
	(void)state;
	assert_string_equal(bm_health_name(BM_HEALTH_CATCHING_UP), "catching-up");
	assert_string_equal(bm_health_name(BM_HEALTH_STOPPED), "stopped");
	assert_string_equal(bm_escalation_name(BM_ESCALATION_RELOAD_SYNC), "reload-sync");
	assert_string_equal(bm_escalation_name(BM_ESCALATION_HOLD), "hold");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_is_idle_when_nothing_waits),
			TEST(test_is_running_while_a_run_works_on_fresh_rows),
			TEST(test_is_catching_up_while_an_old_backlog_moves),
			TEST(test_is_stalled_when_rows_wait_and_nothing_moves),
			TEST(test_a_growing_backlog_alone_is_no_progress),
			TEST(test_runs_that_end_well_are_progress_under_constant_load),
			TEST(test_a_stall_does_not_begin_before_bucardo_is_ready),
			TEST(test_an_open_run_without_visible_progress_gets_longer),
			TEST(test_autokick_off_is_a_sync_in_the_making),
			TEST(test_a_database_that_is_away_is_named_with_its_error),
			TEST(test_no_stall_begins_while_a_database_is_away),
			TEST(test_a_foreign_lock_is_shown_with_its_holder),
			TEST(test_a_permanent_error_is_failing_until_a_good_run),
			TEST(test_an_error_is_told_without_the_row_and_the_wrapping),
			TEST(test_a_passing_error_is_failing_only_when_it_comes_for_ever),
			TEST(test_inactive_or_stopped_is_stopped),
			TEST(test_a_sync_that_its_migration_holds_back_is_not_advised_to_be_activated),
			TEST(test_a_sync_whose_tables_are_all_paused_points_to_its_migration),
			TEST(test_an_unknown_backlog_is_no_health),
			TEST(test_climbs_every_step_in_order_and_then_holds),
			TEST(test_a_step_gets_more_time_on_a_slow_host),
			TEST(test_climbs_for_nothing_but_a_stall),
			TEST(test_a_restart_is_not_held_against_the_last_step),
			TEST(test_a_restart_that_helps_nothing_is_followed_by_the_next_step),
			TEST(test_after_hold_a_persons_restart_begins_anew),
			TEST(test_after_hold_all_is_tried_again_in_a_while),
			TEST(test_who_has_climbed_nothing_has_nothing_to_forget),
			TEST(test_rows_that_begin_to_wait_after_a_long_quiet_are_no_stall),
			TEST(test_a_stall_says_what_happens_next),
			TEST(test_names_are_those_of_the_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
