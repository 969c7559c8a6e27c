/* The restart policy must be patient with the broken and quick with the unlucky. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/supervise/restart.h"

static const struct bm_unit_policy policy = {
		.backoff_first_msec = 500,
		.backoff_limit_msec = 30000,
		.stable_after_msec = 60000,
		.give_up_after = 3,
};

static void assert_near(uint64_t delay, uint64_t expected)
{
	assert_in_range(delay, expected - expected / 10, expected + expected / 10);
}

static void test_the_delay_doubles_from_half_a_second(void **state)
{
	static const uint64_t expected[] = {500, 500, 1000, 2000, 4000, 8000, 16000};

	(void)state;
	for (unsigned failures = 0; failures < 7; failures++) {
		for (uint64_t random = 0; random < 10000; random += 97) {
			assert_near(bm_restart_delay_msec(&policy, failures, random),
					expected[failures]);
		}
	}
}

static void test_the_delay_never_passes_the_limit(void **state)
{
	(void)state;
	for (unsigned failures = 7; failures < 100; failures++) {
		assert_in_range(bm_restart_delay_msec(&policy, failures, UINT64_MAX - failures),
				27000, 30000);
	}
	assert_in_range(bm_restart_delay_msec(&policy, UINT32_MAX, 0), 27000, 30000);
}

static void test_the_delay_varies(void **state)
{
	uint64_t random = 1, lowest = UINT64_MAX, highest = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t delay = bm_restart_delay_msec(&policy, 3, bm_restart_random(&random));
		lowest = delay < lowest ? delay : lowest;
		highest = delay > highest ? delay : highest;
	}
	assert_true(lowest < 1850 && highest > 2150);
}

static void test_it_gives_up_after_as_many_failures_as_allowed(void **state)
{
	struct bm_unit_policy for_ever = policy;

	(void)state;
	for_ever.give_up_after = 0;
	assert_false(bm_restart_gives_up(&policy, 2));
	assert_true(bm_restart_gives_up(&policy, 3));
	assert_false(bm_restart_gives_up(&for_ever, UINT32_MAX));
}

static void test_a_minute_of_being_ready_is_stable(void **state)
{
	(void)state;
	assert_false(bm_restart_is_stable(&policy, 59999));
	assert_true(bm_restart_is_stable(&policy, 60000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_the_delay_doubles_from_half_a_second),
			cmocka_unit_test(test_the_delay_never_passes_the_limit),
			cmocka_unit_test(test_the_delay_varies),
			cmocka_unit_test(test_it_gives_up_after_as_many_failures_as_allowed),
			cmocka_unit_test(test_a_minute_of_being_ready_is_stable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
