/* Sums of two sides, as the servers write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "worker/scan/digest.h"

/* One row: bucket, count, two sums; a NULL bucket is the empty text. */
static PGresult *answer(const char *bucket, const char *count, const char *one, const char *two)
{
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	char name[] = "c";
	PGresAttDesc columns[] = {
			{.name = name}, {.name = name}, {.name = name}, {.name = name}};
	const char *const values[] = {bucket, count, one, two};

	assert_true(PQsetResultAttrs(result, BM_COUNT_OF(columns), columns));
	for (int i = 0; i < (int)BM_COUNT_OF(values); i++) {
		assert_true(PQsetvalue(result, 0, i, (char *)(uintptr_t)values[i],
				(int)strlen(values[i])));
	}
	return result;
}

static void take(struct bm_sums *sums, enum bm_pair_side side, int sign, const char *bucket,
		const char *count, const char *one, const char *two)
{
	PGresult *rows = answer(bucket, count, one, two);

	bm_sums_take(sums, side, rows, sign);
	PQclear(rows);
}

#define HUGE "170141183460469231731687303715884"

static void nothing_on_either_side_is_equal(void **state)
{
	struct bm_sums sums;

	(void)state;
	bm_sums_init(&sums, 0, 1);
	assert_false(bm_sums_differ(&sums, 0));
	bm_sums_finish(&sums);
}

static void each_number_tells_sides_apart_beyond_64_bits(void **state)
{
	static const char *const others[][3] = {{"2", "-" HUGE "1", HUGE "2"},
			{"1", "-" HUGE "2", HUGE "2"}, {"1", HUGE "1", HUGE "2"},
			{"1", "-" HUGE "1", HUGE "3"}};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(others); i++) {
		struct bm_sums sums;
		bm_sums_init(&sums, 0, 2);
		take(&sums, BM_PAIR_SOURCE, 1, "1", "1", "-" HUGE "1", HUGE "2");
		take(&sums, BM_PAIR_DESTINATION, 1, "1", others[i][0], others[i][1],
				others[i][2]);
		assert_true(bm_sums_differ(&sums, 1));
		assert_false(bm_sums_differ(&sums, 0));
		bm_sums_finish(&sums);
	}
}

static void what_is_taken_off_leaves_the_rest(void **state)
{
	struct bm_sums sums;

	(void)state;
	bm_sums_init(&sums, 0, 1);
	take(&sums, BM_PAIR_SOURCE, 1, "0", "3", "-7", HUGE "9");
	take(&sums, BM_PAIR_SOURCE, -1, "0", "1", "-9", HUGE "8");
	take(&sums, BM_PAIR_DESTINATION, 1, "0", "2", "2", "1");
	assert_false(bm_sums_differ(&sums, 0));
	assert_int_equal(sums.sides[0][0].rows, 2);
	bm_sums_finish(&sums);
}

static void a_bucket_that_nobody_asked_for_is_not_kept(void **state)
{
	struct bm_sums sums;

	(void)state;
	bm_sums_init(&sums, 0, 1);
	take(&sums, BM_PAIR_SOURCE, 1, "1", "3", "7", "9");
	assert_false(bm_sums_differ(&sums, 0));
	bm_sums_finish(&sums);
}

static void a_row_without_bucket_is_one_of_the_first(void **state)
{
	struct bm_sums sums;

	(void)state;
	bm_sums_init(&sums, 0, 2);
	take(&sums, BM_PAIR_DESTINATION, 1, "", "1", "7", "9");
	assert_true(bm_sums_differ(&sums, 0));
	bm_sums_finish(&sums);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(nothing_on_either_side_is_equal),
			cmocka_unit_test(each_number_tells_sides_apart_beyond_64_bits),
			cmocka_unit_test(what_is_taken_off_leaves_the_rest),
			cmocka_unit_test(a_bucket_that_nobody_asked_for_is_not_kept),
			cmocka_unit_test(a_row_without_bucket_is_one_of_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
