/* In which order tables are copied, so that foreign keys are made on empty ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/rows/waves.h"

#define BIG (BM_WAVE_SMALL_BYTES * 10)

static void test_a_chain_of_big_tables_comes_one_after_the_other(void **state)
{
	(void)state;
	struct bm_wave_table tables[] = {{.bytes = BIG}, {.bytes = BIG}, {.bytes = 100}};
	struct bm_wave_key keys[] = {{2, 1, true}, {1, 0, true}};

	bm_waves_place(tables, 3, keys, 2);
	assert_int_equal(tables[0].wave, 0);
	assert_int_equal(tables[1].wave, 1);
	assert_int_equal(tables[2].wave, 2);
	assert_false(tables[0].is_keyed || tables[1].is_keyed);
}

static void test_a_small_table_and_one_that_refers_to_itself_have_their_keys_first(void **state)
{
	(void)state;
	struct bm_wave_table tables[] = {{.bytes = 100}, {.bytes = BIG}};
	struct bm_wave_key keys[] = {{1, 0, true}, {1, 1, true}};

	bm_waves_place(tables, 2, keys, 2);
	assert_true(tables[0].is_keyed && tables[1].is_keyed);
	assert_true(keys[0].is_trusted && keys[1].is_trusted);
	assert_int_equal(tables[1].wave, 0);
}

static void test_a_circle_is_cut_at_its_smallest_table(void **state)
{
	(void)state;
	struct bm_wave_table tables[] = {
			{.bytes = BIG * 3}, {.bytes = BIG * 2}, {.bytes = BIG}};
	struct bm_wave_key keys[] = {{0, 1, true}, {1, 0, true}, {2, 0, true}};

	bm_waves_place(tables, 3, keys, 3);
	assert_true(tables[1].is_keyed);
	assert_false(tables[0].is_keyed || tables[2].is_keyed); /* [2] is in no circle */
	assert_int_equal(tables[0].wave, 0);
	assert_int_equal(tables[1].wave, 1);
	assert_int_equal(tables[2].wave, 1);
}

static void test_a_key_to_a_big_table_that_comes_last_is_checked(void **state)
{
	(void)state;
	struct bm_wave_table tables[] = {{.bytes = BIG, .is_late = true}, {.bytes = BIG}};
	struct bm_wave_key keys[] = {{1, 0, true}};

	bm_waves_place(tables, 2, keys, 1);
	assert_false(keys[0].is_trusted);
	assert_int_equal(tables[1].wave, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_a_chain_of_big_tables_comes_one_after_the_other),
			cmocka_unit_test(
					test_a_small_table_and_one_that_refers_to_itself_have_their_keys_first),
			cmocka_unit_test(test_a_circle_is_cut_at_its_smallest_table),
			cmocka_unit_test(test_a_key_to_a_big_table_that_comes_last_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
