/* Lists of keys: sorted, each once, found again, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "worker/scan/keys.h"

static void put(PGresult *result, int row, int column, const char *text)
{
	/* It is copied. */
	assert_true(PQsetvalue(
			result, row, column, (char *)(uintptr_t)text, (int)strlen(text)));
}

/* Rows of two columns, to NULL. */
static PGresult *rows_of(const char *const (*texts)[2])
{
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	char name[] = "k";
	PGresAttDesc columns[] = {{.name = name}, {.name = name}};

	assert_true(PQsetResultAttrs(result, 2, columns));
	for (int row = 0; texts[row][0] != NULL; row++) {
		put(result, row, 0, texts[row][0]);
		put(result, row, 1, texts[row][1]);
	}
	return result;
}

static const char *const some[][2] = {{"b", "1"}, {"a", "2"}, {"a", "10"}, {"", "x"},
		{"a", "2"}, {"\xc3\xa9", "1"}, {"ab", "c"}, {"a", "bc"}, {NULL, NULL}};

static void take_all(struct bm_keys *keys, const PGresult *rows)
{
	bm_keys_init(keys, 2);
	for (int row = 0; row < PQntuples(rows); row++) {
		assert_true(bm_keys_add(keys, rows, row));
	}
}

static void keys_are_sorted_by_bytes_each_once(void **state)
{
	PGresult *rows = rows_of(some);
	struct bm_keys keys;

	(void)state;
	take_all(&keys, rows);
	bm_keys_sort(&keys);
	assert_int_equal(keys.count, 7);
	assert_string_equal(bm_key_text(&keys.list[0], 1), "x");
	assert_string_equal(bm_key_text(&keys.list[1], 1), "10");
	assert_string_equal(bm_key_text(&keys.list[2], 1), "2");
	assert_string_equal(bm_key_text(&keys.list[6], 0), "\xc3\xa9");
	bm_keys_finish(&keys);
	PQclear(rows);
}

static void a_key_is_found_by_all_of_its_columns(void **state)
{
	PGresult *rows = rows_of(some);
	struct bm_keys keys;

	(void)state;
	take_all(&keys, rows);
	bm_keys_sort(&keys);
	assert_non_null(bm_keys_find(&keys, "ab\0c"));
	assert_non_null(bm_keys_find(&keys, "a\0bc"));
	assert_non_null(bm_keys_find(&keys, "\0x"));
	assert_null(bm_keys_find(&keys, "a\0b"));
	assert_null(bm_keys_find(&keys, "abc\0"));
	assert_null(bm_keys_find(&keys, "z\0z"));
	bm_keys_finish(&keys);
	assert_null(bm_keys_find(&keys, "a\0b"));
	PQclear(rows);
}

static void a_key_that_is_there_twice_keeps_its_failures(void **state)
{
	PGresult *rows = rows_of(some);
	struct bm_keys keys;

	(void)state;
	take_all(&keys, rows);
	keys.list[4].failed = 1;
	bm_keys_sort(&keys);
	assert_int_equal(bm_keys_find(&keys, "a\0002")->failed, 1);
	bm_keys_finish(&keys);
	PQclear(rows);
}

static void rows_are_in_the_order_of_their_columns(void **state)
{
	PGresult *rows = rows_of(some);

	(void)state;
	assert_true(bm_keys_compare_rows(rows, 0, rows, 1, 2) > 0);
	assert_true(bm_keys_compare_rows(rows, 1, rows, 2, 2) > 0);
	assert_int_equal(bm_keys_compare_rows(rows, 1, rows, 4, 2), 0);
	assert_int_equal(bm_keys_compare_rows(rows, 1, rows, 2, 1), 0);
	PQclear(rows);
}

static void too_many_keys_are_refused_and_the_same_ones_are_not(void **state)
{
	struct bm_keys keys;

	(void)state;
	bm_keys_init(&keys, 2);
	for (int i = 0; i < BM_KEYS_MOST; i++) {
		char number[16];
		snprintf(number, sizeof(number), "%d", i / 2);
		const char *const one[][2] = {{number, "k"}, {NULL, NULL}};
		PGresult *row = rows_of(one);
		assert_true(bm_keys_add(&keys, row, 0));
		PQclear(row);
	}
	assert_int_equal(keys.count, BM_KEYS_MOST);
	PGresult *more = rows_of(some);
	assert_true(bm_keys_add(&keys, more, 0)); /* every second one made room */
	assert_int_equal(keys.count, BM_KEYS_MOST / 2 + 1);
	PQclear(more);
	bm_keys_finish(&keys);
}

static void params_are_arrays_of_texts(void **state)
{
	static const char *const odd[][2] = {{"a\"b", "c\\d"}, {"NULL", ""}, {NULL, NULL}};
	PGresult *rows = rows_of(odd);
	struct bm_keys keys;
	char *params[BM_KEYS_COLUMNS];

	(void)state;
	take_all(&keys, rows);
	bm_keys_params(&keys, 0, 2, params);
	assert_string_equal(params[0], "{\"a\\\"b\",\"NULL\"}");
	assert_string_equal(params[1], "{\"c\\\\d\",\"\"}");
	bm_keys_free_params(&keys, params);
	bm_keys_finish(&keys);
	PQclear(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(keys_are_sorted_by_bytes_each_once),
			cmocka_unit_test(a_key_is_found_by_all_of_its_columns),
			cmocka_unit_test(a_key_that_is_there_twice_keeps_its_failures),
			cmocka_unit_test(rows_are_in_the_order_of_their_columns),
			cmocka_unit_test(too_many_keys_are_refused_and_the_same_ones_are_not),
			cmocka_unit_test(params_are_arrays_of_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
