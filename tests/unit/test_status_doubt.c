/* What the status says of syncs while a part of the machine does not run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/status.h"

static const struct bm_status_unit units[] = {
		{.view = {.name = "postgres", .state = BM_UNIT_READY, .why = ""},
				.kind = "postgres"},
		{.view = {.name = "bucardo", .state = BM_UNIT_READY, .why = ""},
				.kind = "bucardo"},
};

/* With any unit that is needed in any state but ready no health claims that all is well. */
static void test_nothing_is_known_while_a_unit_does_not_run(void **state)
{
	struct bm_status_unit down[BM_COUNT_OF(units)];
	char why[256];

	(void)state;
	for (size_t unit = 0; unit < BM_COUNT_OF(units); unit++) {
		for (unsigned s = 0; s < BM_UNIT_STATE_COUNT; s++) {
			memcpy(down, units, sizeof(units));
			down[unit].view.state = s;
			down[unit].view.why = "the reason";
			for (unsigned h = 0; h < BM_HEALTH_COUNT; h++) {
				struct bm_sync_view sync = (struct bm_sync_view){
						.why = "", .advice = "", .catch_up_msec = 1};
				struct bm_status status = (struct bm_status){
						.unit_count = BM_COUNT_OF(units),
						.units = down};
				sync.health = h;
				sync.backlog_rows = sync.lag_msec = 0;
				uint64_t since = bm_status_doubt(&status, why, sizeof(why));
				bm_sync_doubt(&sync, why, since);
				if (s == BM_UNIT_READY) {
					assert_int_equal(sync.health, h);
					assert_int_equal(sync.lag_msec, 0);
					continue;
				}
				assert_true(sync.health == BM_HEALTH_UNKNOWN ||
						sync.health == BM_HEALTH_STOPPED ||
						sync.health == BM_HEALTH_UNREACHABLE ||
						sync.health == BM_HEALTH_FAILING);
				assert_int_equal(sync.lag_msec, -1);
				assert_int_equal(sync.catch_up_msec, -1);
				assert_int_not_equal(sync.trend, BM_TREND_STEADY);
				if (sync.health == BM_HEALTH_UNKNOWN) {
					assert_non_null(strstr(sync.why, "the reason"));
				}
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_nothing_is_known_while_a_unit_does_not_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
