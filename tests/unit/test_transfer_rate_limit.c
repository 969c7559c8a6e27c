/* The limit of a copy: even, exact over time, shared, and never a wait for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "worker/rate/rate_limit.h"

#define MB ((uint64_t)1000000)
#define BUFFER ((size_t)256 * 1024)

/* `relays` that take all they get for `msec` milliseconds; what went through. */
static uint64_t flow(struct bm_rate_limit *limit, unsigned relays, uint64_t from, uint64_t msec)
{
	uint64_t until[16] = {0}, total = 0;

	for (uint64_t now = from; now < from + msec; now++) {
		for (unsigned i = 0; i < relays; i++) {
			int wait_msec = 0;
			if (now < until[i]) {
				continue;
			}
			size_t size = bm_rate_limit_ask(limit, BUFFER, now, &wait_msec);
			bm_rate_limit_spend(limit, size);
			total += size;
			assert_true(size > 0 || wait_msec > 0);
			until[i] = now + (uint64_t)wait_msec;
		}
	}
	return total;
}

static void assert_near(uint64_t value, uint64_t expected)
{
	assert_in_range(value, expected - expected / 20, expected + expected / 20);
}

static void test_without_a_limit_all_is_allowed_at_once(void **state)
{
	struct bm_rate_limit limit;
	int wait_msec = 0;

	(void)state;
	bm_rate_limit_init(&limit, 0, 0);
	assert_int_equal(bm_rate_limit_ask(&limit, BUFFER, 0, &wait_msec), BUFFER);
	bm_rate_limit_spend(&limit, BUFFER);
	assert_int_equal(bm_rate_limit_ask(&limit, BUFFER, 0, &wait_msec), BUFFER);
	assert_int_equal(wait_msec, 0);
	bm_rate_limit_finish(&limit);
}

static void test_the_rate_holds_whoever_shares_it(void **state)
{
	static const unsigned relays[] = {1, 4, 16};
	static const uint64_t rates[] = {MB / 10, MB, 50 * MB, 200 * MB};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(relays); i++) {
		for (size_t j = 0; j < BM_COUNT_OF(rates); j++) {
			struct bm_rate_limit limit;
			bm_rate_limit_init(&limit, rates[j], 1000);
			flow(&limit, relays[i], 1000, 2000);
			assert_near(flow(&limit, relays[i], 3000, 20000), 20 * rates[j]);
			bm_rate_limit_finish(&limit);
		}
	}
}

static void test_the_flow_is_even(void **state)
{
	struct bm_rate_limit limit;

	(void)state;
	bm_rate_limit_init(&limit, 10 * MB, 0);
	flow(&limit, 4, 0, 1000);
	for (uint64_t now = 1000; now < 5000; now += 200) {
		uint64_t part = flow(&limit, 4, now, 200);
		assert_in_range(part, MB, 3 * MB);
	}
	bm_rate_limit_finish(&limit);
}

static void test_a_pause_saves_up_no_more_than_a_quarter_of_a_second(void **state)
{
	struct bm_rate_limit limit;

	(void)state;
	bm_rate_limit_init(&limit, 10 * MB, 0);
	assert_true(flow(&limit, 1, 60000, 100) <= 4 * MB);
	bm_rate_limit_finish(&limit);
}

static void test_of_two_limits_the_lower_counts(void **state)
{
	struct bm_rate_limit limit;

	(void)state;
	bm_rate_limit_init(&limit, 10 * MB, 0);
	flow(&limit, 2, 0, 1000);
	bm_rate_limit_throttle(&limit, 2 * MB);
	flow(&limit, 2, 1000, 1000);
	assert_near(flow(&limit, 2, 2000, 10000), 20 * MB);
	bm_rate_limit_throttle(&limit, 90 * MB);
	flow(&limit, 2, 12000, 1000);
	assert_near(flow(&limit, 2, 13000, 10000), 100 * MB);
	bm_rate_limit_throttle(&limit, 0);
	assert_near(flow(&limit, 2, 23000, 10000), 100 * MB);
	bm_rate_limit_finish(&limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_without_a_limit_all_is_allowed_at_once),
			cmocka_unit_test(test_the_rate_holds_whoever_shares_it),
			cmocka_unit_test(test_the_flow_is_even),
			cmocka_unit_test(
					test_a_pause_saves_up_no_more_than_a_quarter_of_a_second),
			cmocka_unit_test(test_of_two_limits_the_lower_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
