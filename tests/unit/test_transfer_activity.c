/* What is under way, as a person sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bucardo_machine/strbuf.h"
#include "worker/transfer/activity.h"
#include "worker/transfer/progress.h"

static struct bm_progress progress;

static int set_up(void **state)
{
	(void)state;
	progress = (struct bm_progress){
			.phase = "copy", .units_total = 1500, .bytes_total = 1000};
	bm_activity_init(&progress.activity);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bm_activity_finish(&progress.activity);
	return 0;
}

static struct bm_active *begin(const char *name, uint64_t weight, uint64_t done, uint64_t total)
{
	struct bm_active like = {.weight = weight, .done = done, .total = total, .ratio = 2};

	bm_text_copy(like.name, sizeof(like.name), name);
	return bm_active_begin(&progress.activity, &like);
}

static void test_chunks_of_one_table_are_one_bar(void **state)
{
	(void)state;
	struct bm_transfer_part parts[4];
	struct bm_active *a = begin("t", 100, 50, 400), *b = begin("t", 100, 50, 400);

	begin("u", 10, 0, 10);
	atomic_store(&a->moved, 100); /* two bytes go over for each of the estimate */
	atomic_store(&b->moved, 1000);
	assert_int_equal(bm_activity_view(&progress.activity, parts, 4), 2);
	assert_string_equal(parts[0].name, "t");
	assert_int_equal(parts[0].done, 50 + 50 + 99);
	assert_int_equal(parts[0].total, 400);
	assert_int_equal(bm_active_end(&progress.activity, a, true), 100);
	bm_activity_view(&progress.activity, parts, 4);
	assert_int_equal(parts[0].done, 150 + 99);
}

static void test_rows_say_how_far_a_table_is_where_their_number_is_known(void **state)
{
	(void)state;
	struct bm_active like = {.name = "t",
			.weight = 100,
			.total = 100,
			.ratio = 1,
			.rows_expected = 50};
	struct bm_active *a = bm_active_begin(&progress.activity, &like);
	struct bm_transfer_part part;

	atomic_store(&a->moved, 95); /* it is compressed in the table, and not on its way */
	atomic_store(&a->rows, 10);
	assert_int_equal(bm_activity_view(&progress.activity, &part, 1), 1);
	assert_int_equal(part.done, 20);
	assert_true(bm_active_part(a) > 0.19 && bm_active_part(a) < 0.21);
	atomic_store(&a->rows, 1000); /* more than the statistics knew */
	assert_true(bm_active_part(a) < 1);
	assert_int_equal(bm_active_end(&progress.activity, a, true), 95);
}

static void test_work_never_falls_when_an_activity_is_lost(void **state)
{
	(void)state;
	struct bm_active *a = begin("t", 500, 0, 1000);

	atomic_store(&a->moved, 800);
	struct bm_transfer_progress before = bm_progress_view(&progress, false);
	assert_int_equal(before.work, 400);
	assert_int_equal(before.work_total, 1000);
	bm_active_end(&progress.activity, a, false);
	struct bm_transfer_progress after = bm_progress_view(&progress, false);
	assert_int_equal(after.work, 400);
	assert_true(after.percent >= before.percent);
}

static void test_work_is_whole_only_when_all_is_committed(void **state)
{
	(void)state;
	struct bm_active *a = begin("t", 1000, 0, 1000);

	atomic_store(&a->moved, 100000);
	assert_int_equal(bm_progress_view(&progress, false).work, 990);
	bm_active_end(&progress.activity, a, true);
	atomic_store(&progress.units_done, 1000);
	assert_int_equal(bm_progress_view(&progress, false).work, 1000);
	progress.phase = "index";
	assert_int_equal(bm_progress_view(&progress, false).work, 0);
	assert_int_equal(bm_progress_view(&progress, false).work_total, 500);
}

static void test_a_build_that_is_told_of_never_goes_back(void **state)
{
	(void)state;
	struct bm_transfer_part part;
	struct bm_active like = {.name = "INDEX i", .weight = 100, .total = 100, .backend = 7};

	bm_active_begin(&progress.activity, &like);
	bm_activity_report(&progress.activity, 7, 0.5, "sorting");
	bm_activity_report(&progress.activity, 7, 0.2, "writing the index");
	bm_activity_view(&progress.activity, &part, 1);
	assert_int_equal(part.done, 50);
	assert_string_equal(part.step, "writing the index");
	assert_int_equal(bm_activity_sum(&progress.activity).bytes, 0);
}

static void test_more_activity_than_there_is_room_for_is_done_unseen(void **state)
{
	(void)state;
	struct bm_active *last = NULL;

	for (int i = 0; i < BM_ACTIVITY_SLOTS + 2; i++) {
		last = begin("t", 1, 0, 1);
	}
	atomic_store(&last->moved, 5);
	assert_int_equal(bm_active_end(&progress.activity, last, true), 5);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(test_chunks_of_one_table_are_one_bar),
			T(test_rows_say_how_far_a_table_is_where_their_number_is_known),
			T(test_work_never_falls_when_an_activity_is_lost),
			T(test_work_is_whole_only_when_all_is_committed),
			T(test_a_build_that_is_told_of_never_goes_back),
			T(test_more_activity_than_there_is_room_for_is_done_unseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
