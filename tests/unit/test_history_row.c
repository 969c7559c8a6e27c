/* What the history keeps of a status: numbers, what is not known, sums of the machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>

#include "client/history/history_row.h"

static json_t *rows_of(const char *migrations)
{
	char text[2000];
	json_t *rows = json_array();

	snprintf(text, sizeof(text), "{\"host\":{\"got_percent\":12},\"migrations\":[%s]}",
			migrations);
	json_t *status = json_loads(text, 0, NULL);
	assert_non_null(status);
	history_rows_add(rows, status, 1000);
	json_decref(status);
	return rows;
}

static double number_at(const json_t *rows, size_t row, const char *name)
{
	const json_t *value = json_object_get(json_array_get(rows, row), name);

	assert_true(json_is_number(value));
	return json_number_value(value);
}

static bool is_unknown(const json_t *rows, size_t row, const char *name)
{
	const json_t *value = json_object_get(json_array_get(rows, row), name);

	return value == NULL || json_is_null(value);
}

#define LIVE(name, lag, backlog)                                                               \
	"{\"name\":\"" name "\",\"phase\":\"replicate\",\"replication\":{\"lag_msec\":" lag    \
	",\"backlog_rows\":" backlog ",\"applied_rows\":7},\"progress\":{\"done\":9},"         \
	"\"verify\":{\"percent\":90,\"rows_different\":2}}"

static void test_each_has_a_row_and_the_machine_the_worst(void **state)
{
	json_t *rows = rows_of(LIVE("a", "1500", "3") "," LIVE("b", "500", "4"));

	(void)state;
	assert_int_equal(json_array_size(rows), 3);
	assert_true(number_at(rows, 0, "lag") == 1.5);
	assert_true(number_at(rows, 0, "backlog") == 7);
	assert_true(number_at(rows, 0, "applied") == 14);
	assert_true(number_at(rows, 0, "differences") == 4);
	assert_true(number_at(rows, 2, "lag") == 0.5);
	assert_true(number_at(rows, 2, "load") == 12);
	assert_true(number_at(rows, 2, "at") == 1000);
	assert_true(is_unknown(rows, 1, "copied")); /* it copies no more */
	json_decref(rows);
}

static void test_what_is_not_known_of_one_is_not_known_of_all(void **state)
{
	json_t *rows = rows_of(LIVE("a", "null", "3") "," LIVE("b", "0", "4"));

	(void)state;
	assert_true(is_unknown(rows, 0, "lag"));
	assert_true(is_unknown(rows, 1, "lag"));
	assert_true(number_at(rows, 2, "lag") == 0);
	assert_true(number_at(rows, 0, "backlog") == 7);
	json_decref(rows);
}

static void test_a_copy_has_bytes_and_an_end_and_no_lag(void **state)
{
	json_t *rows = rows_of(
			"{\"name\":\"a\",\"phase\":\"copy\",\"replication\":null,\"verify\":"
			"null,\"progress\":{\"done\":50,\"eta_msec\":60000}}," LIVE(
					"b", "0", "4"));

	(void)state;
	assert_true(number_at(rows, 1, "copied") == 50);
	assert_true(number_at(rows, 1, "predicted_end") == 1060);
	assert_true(is_unknown(rows, 1, "lag"));
	assert_true(number_at(rows, 0, "lag") == 0); /* none has one but b */
	assert_true(number_at(rows, 0, "copied") == 50);
	json_decref(rows);
}

static void test_no_more_than_twenty_have_rows_of_their_own(void **state)
{
	char all[4000] = "";
	size_t length = 0;

	(void)state;
	for (int i = 0; i < 30; i++) {
		length += (size_t)snprintf(all + length, sizeof(all) - length,
				"%s{\"name\":\"%d\"}", i > 0 ? "," : "", i);
	}
	json_t *rows = rows_of(all);
	assert_int_equal(json_array_size(rows), 1 + HISTORY_MIGRATIONS);
	json_decref(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_each_has_a_row_and_the_machine_the_worst),
			cmocka_unit_test(test_what_is_not_known_of_one_is_not_known_of_all),
			cmocka_unit_test(test_a_copy_has_bytes_and_an_end_and_no_lag),
			cmocka_unit_test(test_no_more_than_twenty_have_rows_of_their_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
