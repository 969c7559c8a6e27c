/* A unit must reach the right state, and ask its host for the right thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit_host.h"

/* ---- the table as a whole ---- */

static void test_every_state_can_be_reached_from_down(void **state)
{
	bool reached[BM_UNIT_STATE_COUNT] = {[BM_UNIT_DOWN] = true};

	(void)state;
	for (int round = 0; round < BM_UNIT_STATE_COUNT; round++) {
		for (int s = 0; s < BM_UNIT_STATE_COUNT; s++) {
			for (int e = 0; reached[s] && e < BM_UNIT_EVENT_COUNT; e++) {
				const struct bm_unit_transition *t = bm_unit_transition(s, e);
				reached[t->next] |= t->why != NULL;
			}
		}
	}
	for (int s = 0; s < BM_UNIT_STATE_COUNT; s++) {
		assert_true(reached[s]);
	}
}

static void test_down_can_be_reached_from_every_state(void **state)
{
	bool leads_down[BM_UNIT_STATE_COUNT] = {[BM_UNIT_DOWN] = true};

	(void)state;
	for (int round = 0; round < BM_UNIT_STATE_COUNT; round++) {
		for (int s = 0; s < BM_UNIT_STATE_COUNT; s++) {
			for (int e = 0; e < BM_UNIT_EVENT_COUNT; e++) {
				const struct bm_unit_transition *t = bm_unit_transition(s, e);
				leads_down[s] |= t->why != NULL && leads_down[t->next];
			}
		}
	}
	for (int s = 0; s < BM_UNIT_STATE_COUNT; s++) {
		assert_true(leads_down[s]);
	}
}

static void test_every_state_that_waits_hears_its_timer(void **state)
{
	(void)state;
	assert_non_null(bm_unit_transition(BM_UNIT_STARTING, BM_UNIT_TIMED_OUT)->why);
	assert_non_null(bm_unit_transition(BM_UNIT_STOPPING, BM_UNIT_TIMED_OUT)->why);
	assert_non_null(bm_unit_transition(BM_UNIT_BACKOFF, BM_UNIT_TIMED_OUT)->why);
}

/* Whatever the way in, a state that waits has a timer and one that rests has none. */
static void assert_timer_fits(struct bm_unit *unit, const struct fake_host *host)
{
	switch (bm_unit_state(unit)) {
	case BM_UNIT_STARTING:
		assert_int_equal(host->timer_msec, policy.start_timeout_msec);
		break;
	case BM_UNIT_STOPPING:
	case BM_UNIT_BACKOFF:
		assert_true(host->timer_msec > 0);
		break;
	default:
		assert_int_equal(host->timer_msec, 0);
		break;
	}
}

static void test_every_way_of_four_events_leaves_a_fitting_timer(void **state)
{
	const int n = BM_UNIT_EVENT_COUNT;

	(void)state;
	for (int way = 0; way < n * n * n * n; way++) {
		struct fake_host host = {0};
		struct bm_unit *unit = create(&host);
		bm_unit_handle(unit, BM_UNIT_WANT_UP);
		for (int rest = way, i = 0; i < 4; i++, rest /= n) {
			bm_unit_handle(unit, rest % n);
			assert_timer_fits(unit, &host);
		}
		bm_unit_destroy(unit);
	}
}

static void test_every_action_and_name_is_there(void **state)
{
	(void)state;
	for (int s = 0; s < BM_UNIT_STATE_COUNT; s++) {
		assert_string_not_equal(bm_unit_state_name(s), "unknown");
		for (int e = 0; e < BM_UNIT_EVENT_COUNT; e++) {
			const struct bm_unit_transition *t = bm_unit_transition(s, e);
			assert_true((t->why != NULL) == (t->action != NULL));
			assert_string_not_equal(bm_unit_event_name(e), "unknown");
		}
	}
	assert_string_equal(bm_unit_state_name(BM_UNIT_STATE_COUNT), "unknown");
	assert_string_equal(bm_unit_event_name(BM_UNIT_EVENT_COUNT), "unknown");
}

/* ---- stories ---- */

static void test_restarts_a_unit_that_dies_while_ready(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = AFTER(&host, BM_UNIT_WANT_UP, BM_UNIT_BECAME_READY);

	(void)state;
	bm_unit_exited(unit, W_EXITCODE(0, SIGKILL), "", false);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_BACKOFF);
	assert_in_range(host.timer_msec, 450, 550);
	assert_int_equal(bm_unit_view(unit).retry_at_msec, host.timer_msec);
	assert_string_equal(bm_unit_view(unit).last_exit, "killed by SIGKILL");
	assert_string_equal(bm_unit_view(unit).why, "ended unasked: killed by SIGKILL");
	bm_unit_handle(unit, BM_UNIT_TIMED_OUT);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_STARTING);
	assert_int_equal(host.spawns, 2);
	assert_int_equal(bm_unit_view(unit).restarts, 1);
	bm_unit_destroy(unit);
}

static void die_once(struct bm_unit *unit)
{
	bm_unit_exited(unit, W_EXITCODE(1, 0), "", false);
	bm_unit_handle(unit, BM_UNIT_TIMED_OUT);
}

static void test_waits_longer_each_time_and_forgets_after_a_minute_of_being_ready(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = AFTER(&host, BM_UNIT_WANT_UP);

	(void)state;
	die_once(unit);
	die_once(unit);
	assert_int_equal(bm_unit_view(unit).failures, 2);
	bm_unit_handle(unit, BM_UNIT_BECAME_READY);
	host.now_msec += policy.stable_after_msec - 1;
	assert_int_equal(bm_unit_view(unit).failures, 2);
	host.now_msec++;
	assert_int_equal(bm_unit_view(unit).failures, 0);
	bm_unit_exited(unit, W_EXITCODE(1, 0), "", false);
	assert_in_range(host.timer_msec, 450, 550);
	assert_int_equal(bm_unit_view(unit).failures, 1);
	bm_unit_destroy(unit);
}

static void test_an_excused_death_is_no_failure(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = AFTER(&host, BM_UNIT_WANT_UP);

	(void)state;
	bm_unit_exited(unit, W_EXITCODE(1, 0), "PostgreSQL was down", true);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_BACKOFF);
	assert_int_equal(bm_unit_view(unit).failures, 0);
	assert_string_equal(bm_unit_view(unit).why,
			"ended before it was ready: exit code 1, PostgreSQL was down");
	bm_unit_destroy(unit);
}

static void test_gives_up_after_too_many_failures_until_a_person_asks(void **state)
{
	struct fake_host host = {0};
	struct bm_unit_policy strict = policy;

	(void)state;
	strict.give_up_after = 2;
	struct bm_unit *unit = bm_unit_create("tunnel", &strict, &fake, fake_changed, &host);
	bm_unit_want(unit, true);
	die_once(unit);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_STARTING);
	bm_unit_exited(unit, W_EXITCODE(9, 0), "", false);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_FAILED);
	assert_non_null(strstr(bm_unit_view(unit).why, "exit code 9"));
	assert_int_equal(host.timer_msec, 0);
	bm_unit_want(unit, true);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_FAILED);
	bm_unit_restart(unit, "uid 0");
	assert_int_equal(bm_unit_state(unit), BM_UNIT_STARTING);
	assert_int_equal(bm_unit_view(unit).failures, 0);
	bm_unit_destroy(unit);
}

static void test_a_program_that_cannot_be_started_is_tried_again_later(void **state)
{
	struct fake_host host = {.cannot_spawn = true};
	struct bm_unit *unit = AFTER(&host, BM_UNIT_WANT_UP);

	(void)state;
	assert_int_equal(bm_unit_state(unit), BM_UNIT_BACKOFF);
	assert_int_equal(host.changes, 1);
	assert_string_equal(bm_unit_view(unit).why, "could not be started: no such thing");
	bm_unit_destroy(unit);
}

static void test_stops_harder_each_time_and_never_stops_waiting(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = AFTER(&host, BM_UNIT_WANT_UP, BM_UNIT_BECAME_READY);

	(void)state;
	bm_unit_want(unit, false);
	assert_int_equal(host.last_stop, BM_STOP_GENTLY);
	assert_int_equal(host.timer_msec, policy.stop_gently_msec);
	bm_unit_handle(unit, BM_UNIT_TIMED_OUT);
	assert_int_equal(host.last_stop, BM_STOP_FIRMLY);
	assert_int_equal(host.timer_msec, policy.stop_firmly_msec);
	bm_unit_handle(unit, BM_UNIT_TIMED_OUT);
	assert_int_equal(host.last_stop, BM_STOP_KILL);
	bm_unit_handle(unit, BM_UNIT_TIMED_OUT);
	assert_int_equal(host.last_stop, BM_STOP_KILL);
	assert_int_equal(host.stops, 4);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_STOPPING);
	bm_unit_exited(unit, W_EXITCODE(0, SIGKILL), "", false);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_DOWN);
	assert_int_equal(host.timer_msec, 0);
	bm_unit_destroy(unit);
}

static void test_repeating_a_wish_changes_nothing(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = AFTER(&host, BM_UNIT_WANT_UP, BM_UNIT_WANT_UP, BM_UNIT_WANT_UP);

	(void)state;
	assert_int_equal(host.spawns, 1);
	bm_unit_want(unit, false);
	bm_unit_want(unit, false);
	assert_int_equal(host.stops, 1);
	bm_unit_destroy(unit);
}

static void test_a_start_that_takes_too_long_is_stopped_and_counts(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = AFTER(
			&host, BM_UNIT_WANT_UP, BM_UNIT_TIMED_OUT, BM_UNIT_WANT_UP);

	(void)state;
	assert_int_equal(bm_unit_state(unit), BM_UNIT_STOPPING);
	bm_unit_exited(unit, W_EXITCODE(0, SIGTERM), "", false);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_BACKOFF);
	assert_int_equal(bm_unit_view(unit).failures, 1);
	bm_unit_destroy(unit);
}

static void test_a_slow_start_that_is_no_longer_wanted_ends_down(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = AFTER(
			&host, BM_UNIT_WANT_UP, BM_UNIT_TIMED_OUT, BM_UNIT_WANT_DOWN);

	(void)state;
	bm_unit_exited(unit, W_EXITCODE(0, SIGTERM), "", false);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_DOWN);
	bm_unit_destroy(unit);
}

static void test_a_restart_goes_through_a_stop_without_backoff(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = AFTER(&host, BM_UNIT_WANT_UP, BM_UNIT_BECAME_READY);

	(void)state;
	bm_unit_restart(unit, "the escalation");
	assert_int_equal(bm_unit_state(unit), BM_UNIT_STOPPING);
	assert_string_equal(bm_unit_view(unit).why, "restart asked for: the escalation");
	bm_unit_exited(unit, W_EXITCODE(0, 0), "", false);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_DOWN);
	bm_unit_want(unit, true);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_STARTING);
	assert_int_equal(bm_unit_view(unit).failures, 0);
	bm_unit_destroy(unit);
}

static void test_what_runs_already_is_adopted_without_a_spawn(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = AFTER(&host, BM_UNIT_ADOPTED, BM_UNIT_BECAME_READY);

	(void)state;
	assert_int_equal(bm_unit_state(unit), BM_UNIT_READY);
	assert_int_equal(host.spawns, 0);
	bm_unit_destroy(unit);
}

static void test_what_no_longer_answers_gets_the_time_of_a_start(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = AFTER(
			&host, BM_UNIT_WANT_UP, BM_UNIT_BECAME_READY, BM_UNIT_LOST_READY);

	(void)state;
	assert_int_equal(bm_unit_state(unit), BM_UNIT_STARTING);
	assert_int_equal(host.spawns, 1);
	bm_unit_destroy(unit);
}

static void test_progress_gives_a_start_its_time_anew_up_to_a_limit(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = AFTER(&host, BM_UNIT_WANT_UP);

	(void)state;
	host.timer_msec = 1;
	host.now_msec = policy.start_limit_msec - 1;
	bm_unit_progress(unit);
	assert_int_equal(host.timer_msec, policy.start_timeout_msec);
	host.timer_msec = 1;
	host.now_msec = policy.start_limit_msec;
	bm_unit_progress(unit);
	assert_int_equal(host.timer_msec, 1);
	bm_unit_handle(unit, BM_UNIT_BECAME_READY);
	bm_unit_progress(unit);
	assert_int_equal(host.timer_msec, 0);
	bm_unit_destroy(unit);
}

/* A reader of the state who acts at once, as the machine's tick does. */
static void want_up_when_down(void *ctx, struct bm_unit *unit)
{
	(void)ctx;
	if (bm_unit_state(unit) == BM_UNIT_DOWN) {
		bm_unit_want(unit, true);
	}
}

static void test_events_may_be_fed_from_the_word_of_a_change(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = bm_unit_create(
			"postgres", &policy, &fake, want_up_when_down, &host);

	(void)state;
	bm_unit_want(unit, true);
	bm_unit_restart(unit, "test");
	bm_unit_exited(unit, 0, "", false);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_STARTING);
	assert_int_equal(host.spawns, 2);
	bm_unit_destroy(unit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_every_state_can_be_reached_from_down),
			cmocka_unit_test(test_down_can_be_reached_from_every_state),
			cmocka_unit_test(test_every_state_that_waits_hears_its_timer),
			cmocka_unit_test(test_every_way_of_four_events_leaves_a_fitting_timer),
			cmocka_unit_test(test_every_action_and_name_is_there),
			cmocka_unit_test(test_restarts_a_unit_that_dies_while_ready),
			cmocka_unit_test(
					test_waits_longer_each_time_and_forgets_after_a_minute_of_being_ready),
			cmocka_unit_test(test_an_excused_death_is_no_failure),
			cmocka_unit_test(
					test_gives_up_after_too_many_failures_until_a_person_asks),
			cmocka_unit_test(
					test_a_program_that_cannot_be_started_is_tried_again_later),
			cmocka_unit_test(test_stops_harder_each_time_and_never_stops_waiting),
			cmocka_unit_test(test_repeating_a_wish_changes_nothing),
			cmocka_unit_test(
					test_a_start_that_takes_too_long_is_stopped_and_counts),
			cmocka_unit_test(test_a_slow_start_that_is_no_longer_wanted_ends_down),
			cmocka_unit_test(test_a_restart_goes_through_a_stop_without_backoff),
			cmocka_unit_test(test_what_runs_already_is_adopted_without_a_spawn),
			cmocka_unit_test(test_what_no_longer_answers_gets_the_time_of_a_start),
			cmocka_unit_test(
					test_progress_gives_a_start_its_time_anew_up_to_a_limit),
			cmocka_unit_test(test_events_may_be_fed_from_the_word_of_a_change),
	};

	bm_log_set_level(BM_LOG_ERROR + 1); /* the walk makes 60,000 state changes */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
