/* What is asked of a sync waits for a master that is busy, however long that is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/bucardo/internal.h"
#include "bucardo_machine/clock.h"

#define HOUR_MSEC (60 * 60 * 1000)

static char name[] = "app_1";

static void test_a_wish_waits_for_a_master_that_was_not_told_yet(void **state)
{
	struct bm_bucardo starting = {.daemon.ready_msec = 0};
	struct evaluated_sync sync = {.name = name, .active = false};

	(void)state;
	wish_set(&sync, 1);
	wish_check(&starting, &sync, bm_clock_msec() + HOUR_MSEC);
	assert_int_equal(sync.wish, 1);
}

static void test_a_wish_is_over_when_its_effect_is_seen(void **state)
{
	struct bm_bucardo starting = {.daemon.ready_msec = 0};
	struct evaluated_sync sync = {.name = name, .active = true};

	(void)state;
	wish_set(&sync, 1);
	wish_check(&starting, &sync, bm_clock_msec() + HOUR_MSEC);
	assert_int_equal(sync.wish, 0);
}

static void test_a_wish_is_not_over_while_an_earlier_word_may_undo_what_is_seen(void **state)
{
	struct bm_bucardo busy = {.daemon.ready_msec = 0,
			.master = {.received_msec = 500, .pong_msec = 600},
			.evaluation = {.taken_msec = 2000}};
	/* It was told to deactivate it at 1000, and has not heard that yet. */
	struct evaluated_sync sync = {.name = name, .active = true, .word_msec = 1000};

	(void)state;
	wish_set(&sync, 1);
	sync.resuming = true;
	wish_check(&busy, &sync, HOUR_MSEC);
	assert_int_equal(sync.wish, 1);
	/* Now it has, but that was looked at before. */
	busy.master.received_msec = 1000;
	busy.master.pong_msec = 2500;
	wish_check(&busy, &sync, HOUR_MSEC);
	assert_int_equal(sync.wish, 1);
	assert_true(sync.resuming);
	busy.evaluation.taken_msec = 3000;
	wish_check(&busy, &sync, HOUR_MSEC);
	assert_int_equal(sync.wish, 0);
	assert_false(sync.resuming);
}

/* An attempt that is undone activates what it deactivated: the status is seen before its word
 * is heard, and our own word must not come after it. */
static void test_a_status_that_others_have_just_changed_is_not_told_against(void **state)
{
	struct bm_bucardo busy = {.daemon.ready_msec = 0};
	struct evaluated_sync sync = {.name = name, .active = false};

	(void)state;
	wish_inactive(&busy, &sync);
	sync.wish_sent_msec = HOUR_MSEC;
	sync.active = true;
	wish_check(&busy, &sync, 2 * HOUR_MSEC);
	assert_int_equal(sync.contrary_msec, 2 * HOUR_MSEC);
	assert_int_equal(sync.wish_sent, 1);
	wish_active(&busy, &sync);
	assert_int_equal(sync.wish, 1);
	assert_int_equal(sync.contrary_msec, 0);
}

static void test_a_resume_counts_as_not_told_until_it_is_declared_and_lasts_until_its_effect(
		void **state)
{
	struct evaluated_sync sync = {.name = name};
	struct bm_bucardo bucardo = {.evaluation = {.count = 1, .syncs = &sync}};
	struct bm_declared_sync told = {.name = name, .released = true};

	(void)state;
	bm_bucardo_declare(&bucardo, &told, 1);
	assert_true(bm_bucardo_is_resuming(&bucardo, name));
	told.resuming = true;
	bm_bucardo_declare(&bucardo, &told, 1);
	assert_true(bm_bucardo_is_resuming(&bucardo, name));
	assert_true(declared_find(&bucardo, name)->resumed);
	/* evaluate_syncs.c takes it up; telling it again changes nothing. */
	declared_find(&bucardo, name)->resumed = false;
	sync.resuming = true;
	bm_bucardo_declare(&bucardo, &told, 1);
	assert_false(declared_find(&bucardo, name)->resumed);
	assert_true(bm_bucardo_is_resuming(&bucardo, name));
	wish_set(&sync, 0);
	assert_false(bm_bucardo_is_resuming(&bucardo, name));
	/* A sync that is not there waits for nothing. */
	bucardo.evaluation.count = 0;
	assert_false(bm_bucardo_is_resuming(&bucardo, name));
	declared_finish(&bucardo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_a_wish_waits_for_a_master_that_was_not_told_yet),
			cmocka_unit_test(test_a_wish_is_over_when_its_effect_is_seen),
			cmocka_unit_test(
					test_a_status_that_others_have_just_changed_is_not_told_against),
			cmocka_unit_test(
					test_a_wish_is_not_over_while_an_earlier_word_may_undo_what_is_seen),
			cmocka_unit_test(
					test_a_resume_counts_as_not_told_until_it_is_declared_and_lasts_until_its_effect),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
