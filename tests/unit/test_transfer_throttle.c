/* A source that answers late is spared, and no longer than that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/rate/throttle.h"

#define MB ((uint64_t)1000000)
#define EVERY_MSEC 250

static struct bm_throttle throttle;
static uint64_t now_msec, bytes;

/* Whole decisions with answers of `msec`, `speed` bytes a second going over. */
static enum bm_throttle_change after(unsigned decisions, double msec, uint64_t speed)
{
	enum bm_throttle_change change = BM_THROTTLE_AS_BEFORE;

	for (unsigned i = 0; i < decisions * BM_THROTTLE_ANSWERS; i++) {
		now_msec += EVERY_MSEC;
		bytes += speed * EVERY_MSEC / 1000;
		change = bm_throttle_add(&throttle, msec, now_msec, bytes);
	}
	return change;
}

static void begin(double msec)
{
	const double answers[] = {msec, msec * 40, msec, msec, msec};

	now_msec = 5000;
	bytes = 0;
	bm_throttle_init(&throttle, answers, 5, now_msec, bytes);
}

static void test_jitter_slows_nothing(void **state)
{
	(void)state;
	begin(0.3);
	for (unsigned i = 0; i < 100; i++) {
		now_msec += EVERY_MSEC;
		assert_int_equal(bm_throttle_add(&throttle, i % 3 == 0 ? 900 : 1, now_msec, 0),
				BM_THROTTLE_AS_BEFORE);
	}
	assert_int_equal(after(10, 95, 80 * MB), BM_THROTTLE_AS_BEFORE);
	assert_int_equal(throttle.limit, 0);
}

static void test_late_answers_halve_the_flow_down_to_a_floor(void **state)
{
	(void)state;
	begin(1);
	after(3, 2, 80 * MB);
	assert_int_equal(after(1, 300, 80 * MB), BM_THROTTLE_SLOWED);
	assert_int_equal(throttle.limit, 40 * MB);
	assert_int_equal(after(1, 300, 40 * MB), BM_THROTTLE_CHANGED);
	assert_int_equal(throttle.limit, 20 * MB);
	after(20, 300, 5 * MB);
	assert_int_equal(throttle.limit, 5 * MB);
}

static void test_it_grows_again_until_it_is_free(void **state)
{
	(void)state;
	begin(1);
	after(3, 300, 80 * MB);
	assert_int_equal(throttle.limit, 10 * MB);
	assert_int_equal(after(1, 70, 10 * MB), BM_THROTTLE_AS_BEFORE); /* neither */
	assert_int_equal(after(1, 2, 10 * MB), BM_THROTTLE_CHANGED);
	assert_int_equal(throttle.limit, 15 * MB);
	assert_int_equal(after(5, 2, 15 * MB), BM_THROTTLE_FREE);
	assert_int_equal(throttle.limit, 0);
	assert_int_equal(after(1, 300, 60 * MB), BM_THROTTLE_SLOWED); /* and once more */
	assert_int_equal(throttle.limit, 30 * MB);
}

static void test_a_far_source_is_not_a_slow_one(void **state)
{
	(void)state;
	begin(120);
	assert_int_equal(after(5, 300, MB), BM_THROTTLE_AS_BEFORE);
	assert_int_equal(after(1, 600, MB), BM_THROTTLE_SLOWED);
}

static void test_a_copy_that_stands_still_is_not_stopped(void **state)
{
	(void)state;
	begin(1);
	after(9, 900, 0);
	assert_int_equal(throttle.limit, 256 * 1024);
}

static void test_a_baseline_of_a_bad_moment_is_forgotten(void **state)
{
	(void)state;
	begin(400);
	after(1, 1, MB);
	assert_int_equal(after(1, 300, MB), BM_THROTTLE_SLOWED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_jitter_slows_nothing),
			cmocka_unit_test(test_late_answers_halve_the_flow_down_to_a_floor),
			cmocka_unit_test(test_it_grows_again_until_it_is_free),
			cmocka_unit_test(test_a_far_source_is_not_a_slow_one),
			cmocka_unit_test(test_a_copy_that_stands_still_is_not_stopped),
			cmocka_unit_test(test_a_baseline_of_a_bad_moment_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
