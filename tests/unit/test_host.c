/* Whether a host is slow, from what ten seconds brought. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/process/host.h"

#define MSEC UINT64_C(1000000)

/* Ten seconds in which our processes ran and waited so long, and nothing else is known. */
static struct host_span span_of(uint64_t run_msec, uint64_t wait_msec)
{
	return (struct host_span){.msec = 10000,
			.run_nsec = run_msec * MSEC,
			.wait_nsec = wait_msec * MSEC,
			.grown = {HOST_UNKNOWN, HOST_UNKNOWN, HOST_UNKNOWN, HOST_UNKNOWN,
					HOST_UNKNOWN}};
}

static void test_who_waits_as_long_as_it_runs_is_slow(void **state)
{
	struct host_span span = span_of(900, 4400);
	struct host_load load = host_evaluate(&span, false);

	(void)state;
	assert_true(load.slow);
	assert_int_equal(load.got_percent, 9);
	assert_int_equal(load.waited_percent, 83);
	assert_int_equal(load.throttled_percent, HOST_UNKNOWN);
	assert_int_equal(load.stolen_percent, HOST_UNKNOWN);
	assert_int_equal(load.pressure_percent, HOST_UNKNOWN);
	span = span_of(4400, 900);
	assert_false(host_evaluate(&span, false).slow);
}

static void test_waiting_matters_to_none_who_wants_next_to_nothing(void **state)
{
	struct host_span span = span_of(50, 600);

	(void)state;
	assert_false(host_evaluate(&span, false).slow);
	span.grown.periods = 100;
	span.grown.throttled = 90;
	assert_false(host_evaluate(&span, false).slow);
}

static void test_a_limit_and_a_hypervisor_that_hold_back_are_seen(void **state)
{
	struct host_span limited = span_of(2000, 900), stolen = span_of(100, 0);

	(void)state;
	limited.grown.periods = 100;
	limited.grown.throttled = 40;
	assert_true(host_evaluate(&limited, false).slow);
	assert_int_equal(host_evaluate(&limited, false).throttled_percent, 40);
	limited.grown.periods = 0; /* no limit */
	limited.grown.throttled = 0;
	assert_false(host_evaluate(&limited, false).slow);
	stolen.grown.ticks = 2000;
	stolen.grown.stolen = 700;
	assert_true(host_evaluate(&stolen, false).slow);
	assert_int_equal(host_evaluate(&stolen, false).stolen_percent, 35);
}

static void test_who_was_slow_is_so_until_it_is_clearly_better(void **state)
{
	struct host_span span = span_of(3000, 1500), calm = span_of(3000, 500);

	(void)state;
	assert_false(host_evaluate(&span, false).slow);
	assert_true(host_evaluate(&span, true).slow);
	assert_false(host_evaluate(&calm, true).slow);
}

static void test_what_the_kernel_does_not_tell_calls_nobody_slow(void **state)
{
	struct host_span span = span_of(0, 0);

	(void)state;
	assert_false(host_evaluate(&span, false).slow);
	assert_int_equal(host_evaluate(&span, false).got_percent, HOST_UNKNOWN);
	assert_int_equal(host_evaluate(&span, false).waited_percent, HOST_UNKNOWN);
}

static void test_limits_are_stretched_by_what_is_waited_and_not_without_end(void **state)
{
	(void)state;
	static const struct {
		int waited;
		unsigned slowness;
	} cases[] = {{HOST_UNKNOWN, 1}, {50, 1}, {75, 2}, {90, 5}, {96, 12}, {99, 20},
			{100, 20}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct host_load load = {.slow = true, .waited_percent = cases[i].waited};
		assert_int_equal(host_slowness(&load), cases[i].slowness);
		load.slow = false;
		assert_int_equal(host_slowness(&load), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_who_waits_as_long_as_it_runs_is_slow),
			cmocka_unit_test(
					test_waiting_matters_to_none_who_wants_next_to_nothing),
			cmocka_unit_test(test_a_limit_and_a_hypervisor_that_hold_back_are_seen),
			cmocka_unit_test(test_who_was_slow_is_so_until_it_is_clearly_better),
			cmocka_unit_test(test_what_the_kernel_does_not_tell_calls_nobody_slow),
			cmocka_unit_test(
					test_limits_are_stretched_by_what_is_waited_and_not_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
