/* How long the background rests after it has read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/reconcile/verify_load.h"

/* A source that gives no answer: only what was measured before counts. */
static uint64_t rest_of(unsigned max_load, uint64_t limit, uint64_t took_msec, uint64_t bytes)
{
	struct bm_verify_load load = {.max_load = max_load, .throttle = {.limit = limit}};

	return bm_verify_load_rest(&load, NULL, took_msec, bytes);
}

static void it_works_for_its_part_of_the_time(void **state)
{
	(void)state;
	assert_int_equal(rest_of(10, 0, 100, 1000), 900);
	assert_int_equal(rest_of(1, 0, 100, 1000), 9900);
	assert_int_equal(rest_of(50, 0, 100, 1000), 100);
	assert_int_equal(rest_of(100, 0, 100, 1000), 0);
}

static void one_rest_has_an_end(void **state)
{
	(void)state;
	assert_int_equal(rest_of(1, 0, 5000, 1000), 10000);
	assert_int_equal(rest_of(100, 1, 100, 1000000), 10000);
}

static void a_throttle_makes_it_rest_longer_and_never_shorter(void **state)
{
	(void)state;
	assert_int_equal(rest_of(50, 1000, 100, 3000), 3000);
	assert_int_equal(rest_of(10, 1000000, 100, 1000), 900);
}

static void what_took_no_time_needs_no_rest(void **state)
{
	(void)state;
	assert_int_equal(rest_of(10, 1000, 0, 100000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(it_works_for_its_part_of_the_time),
			cmocka_unit_test(one_rest_has_an_end),
			cmocka_unit_test(a_throttle_makes_it_rest_longer_and_never_shorter),
			cmocka_unit_test(what_took_no_time_needs_no_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
