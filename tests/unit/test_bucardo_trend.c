/* Where a backlog goes, from the looks at it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/health/health.h"

#define START 1000000 /* bm_clock_msec() at the first look */

static struct bm_sync_sample sync;
static struct sync_history history;

static int set_up(void **state)
{
	(void)state;
	sync = (struct bm_sync_sample){.name = "app",
			.run_status = "",
			.run_moved = -1,
			.good_age_msec = 1000};
	history = (struct sync_history){0};
	return 0;
}

static enum bm_trend trend_after(int64_t from, int64_t by, unsigned seconds)
{
	for (unsigned i = 0; i <= seconds; i++) {
		sync.backlog_rows = from + by * (int64_t)i;
		sync.lag_msec = 20000;
		health_remember(&history, &sync, START + i * 1000);
	}
	return health_trend(&history, sync.run_open).trend;
}

static void test_a_backlog_that_shrinks_tells_when_it_is_gone(void **state)
{
	(void)state;
	assert_int_equal(trend_after(100000, -100, 100), BM_TREND_SHRINKS);
	struct health_trend trend = health_trend(&history, false);
	assert_in_range(trend.shrink_rate, 98, 102);
	assert_in_range(trend.catch_up_msec, 880000, 920000);
}

static void test_a_backlog_that_grows_or_stays_never_catches_up(void **state)
{
	(void)state;
	assert_int_equal(trend_after(1000, 50, 60), BM_TREND_GROWS);
	assert_int_equal(health_trend(&history, false).catch_up_msec, -1);
	history = (struct sync_history){0};
	assert_int_equal(trend_after(1000, 0, 60), BM_TREND_GROWS);
}

static void test_a_short_look_and_a_first_run_say_nothing_of_the_trend(void **state)
{
	(void)state;
	assert_int_equal(trend_after(1000, 50, 5), BM_TREND_UNKNOWN);
	history = (struct sync_history){0};
	sync.run_open = true;
	sync.good_age_msec = -1;
	assert_int_equal(trend_after(1000, 50, 60), BM_TREND_UNKNOWN);
}

static void test_what_is_always_under_way_is_steady(void **state)
{
	(void)state;
	sync.backlog_rows = 300;
	sync.lag_msec = 900;
	health_remember(&history, &sync, START);
	assert_int_equal(health_trend(&history, true).trend, BM_TREND_STEADY);
	sync.backlog_rows = sync.lag_msec = 0;
	health_remember(&history, &sync, START + 1000);
	assert_int_equal(health_trend(&history, false).trend, BM_TREND_STEADY);
}

static void test_beyond_the_end_of_the_count_the_age_tells(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= 60; i++) {
		sync.backlog_rows = 1000000;
		sync.lag_msec = 600000 - 2000 * (int64_t)i;
		health_remember(&history, &sync, START + i * 1000);
	}
	struct health_trend trend = health_trend(&history, false);
	assert_int_equal(trend.trend, BM_TREND_SHRINKS);
	assert_in_range(trend.catch_up_msec, 220000, 260000);
}

static void test_steps_of_runs_are_smoothed(void **state)
{
	(void)state;
	int64_t rows = 100000;

	/* 200 rows a second come; every ten seconds a run takes 4,000 away. */
	for (unsigned i = 0; i <= 120; i++) {
		rows += 200 - (i % 10 == 9 ? 4000 : 0);
		sync.backlog_rows = rows;
		sync.lag_msec = 60000;
		health_remember(&history, &sync, START + i * 1000);
		if (i > 30) {
			assert_int_equal(health_trend(&history, false).trend, BM_TREND_SHRINKS);
		}
	}
	assert_in_range(health_trend(&history, false).shrink_rate, 100, 300);
}

#define T(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(test_a_backlog_that_shrinks_tells_when_it_is_gone),
			T(test_a_backlog_that_grows_or_stays_never_catches_up),
			T(test_a_short_look_and_a_first_run_say_nothing_of_the_trend),
			T(test_what_is_always_under_way_is_steady),
			T(test_beyond_the_end_of_the_count_the_age_tells),
			T(test_steps_of_runs_are_smoothed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
