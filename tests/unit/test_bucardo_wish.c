/* What is asked of a sync waits for a master that is busy, however long that is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bucardo/internal.h"
#include "bucardo_machine/clock.h"

#define HOUR_MSEC (60 * 60 * 1000)

static char name[] = "app_1";

static void test_a_wish_waits_for_a_master_that_was_not_told_yet(void **state)
{
	struct bm_bucardo starting = {.daemon.ready_msec = 0};
	struct judged_sync sync = {.name = name, .active = false};

	(void)state;
	wish_set(&sync, 1);
	wish_check(&starting, &sync, bm_clock_msec() + HOUR_MSEC);
	assert_int_equal(sync.wish, 1);
}

static void test_a_wish_is_over_when_its_effect_is_seen(void **state)
{
	struct bm_bucardo starting = {.daemon.ready_msec = 0};
	struct judged_sync sync = {.name = name, .active = true};

	(void)state;
	wish_set(&sync, 1);
	wish_check(&starting, &sync, bm_clock_msec() + HOUR_MSEC);
	assert_int_equal(sync.wish, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_a_wish_waits_for_a_master_that_was_not_told_yet),
			cmocka_unit_test(test_a_wish_is_over_when_its_effect_is_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
