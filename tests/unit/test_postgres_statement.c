/* Statements in their queue, and results in our terms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "daemon/postgres/statement.h"

struct seen {
	unsigned calls;
	struct bm_error err;
	char value[32];
	bool null_cell, beyond_is_null;
	size_t rows, columns;
};

static void note(void *ctx, const struct bm_result *result)
{
	struct seen *seen = ctx;
	const char *value = bm_result_get(result, 0, 0);

	seen->calls++;
	seen->rows = result->row_count;
	seen->columns = result->column_count;
	if (result->error != NULL) {
		seen->err = *result->error;
	}
	if (value != NULL) {
		snprintf(seen->value, sizeof(seen->value), "%s", value);
	}
	seen->null_cell = bm_result_get(result, 0, 1) == NULL;
	seen->beyond_is_null = bm_result_get(result, 1, 0) == NULL &&
			bm_result_get(result, 0, 2) == NULL;
}

static void test_the_queue_is_first_in_first_out(void **state)
{
	(void)state;
	struct bm_statement_queue queue = {NULL, NULL};
	const char *const texts[] = {"1", "2", "3"};

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 3; i++) {
			bm_statement_queue_add(&queue,
					bm_statement_create(texts[i], NULL, 0, NULL, NULL));
		}
		for (size_t i = 0; i < 3; i++) {
			struct bm_statement *statement = bm_statement_queue_take(&queue);
			assert_string_equal(statement->sql, texts[i]);
			bm_statement_destroy(statement);
		}
		assert_null(bm_statement_queue_take(&queue));
	}
}

static void test_a_statement_keeps_copies_and_nulls(void **state)
{
	(void)state;
	char first[] = "first";
	const char *const params[] = {first, NULL};
	struct bm_statement *statement = bm_statement_create("SELECT", params, 2, NULL, NULL);

	first[0] = 'X';
	assert_string_equal(statement->params[0], "first");
	assert_null(statement->params[1]);
	bm_statement_destroy(statement);
}

static void test_a_failed_statement_tells_why(void **state)
{
	(void)state;
	struct seen seen = {0};
	struct bm_statement *statement = bm_statement_create("SELECT", NULL, 0, note, &seen);

	bm_error_set(&statement->error, BM_ERR_TRANSIENT, "away");
	bm_statement_fail(statement);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.err.code, BM_ERR_TRANSIENT);
	assert_int_equal(seen.rows, 0);
	assert_true(seen.beyond_is_null);
	bm_statement_destroy(statement);
}

static void test_cells_are_read_and_what_is_not_there_is_null(void **state)
{
	(void)state;
	char name[] = "a"; /* libpq takes no const; it copies */
	PGresAttDesc columns[] = {{.name = name, .typlen = -1}, {.name = name, .typlen = -1}};
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	struct seen seen = {0};
	struct bm_statement *statement = bm_statement_create("SELECT", NULL, 0, note, &seen);
	char value[] = "seven";

	PQsetResultAttrs(result, 2, columns);
	PQsetvalue(result, 0, 0, value, 5);
	PQsetvalue(result, 0, 1, NULL, -1);
	bm_statement_finish(statement, result, true);
	assert_int_equal(seen.err.code, BM_ERR_NONE); /* late, but it came */
	assert_string_equal(seen.value, "seven");
	assert_true(seen.null_cell);
	assert_true(seen.beyond_is_null);
	assert_int_equal(seen.rows * 10 + seen.columns, 12);
	PQclear(result);
	bm_statement_destroy(statement);
}

static void test_an_error_without_details_is_still_an_error(void **state)
{
	(void)state;
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_FATAL_ERROR);
	struct seen seen = {0};
	struct bm_statement *statement = bm_statement_create("SELECT", NULL, 0, note, &seen);

	bm_statement_finish(statement, result, false);
	assert_int_equal(seen.err.code, BM_ERR_SQL);
	assert_string_equal(seen.err.message, "no result");
	PQclear(result);
	bm_statement_destroy(statement);
}

static void test_a_statement_nobody_waits_for_calls_nobody(void **state)
{
	(void)state;
	struct bm_statement *statement = bm_statement_create("SELECT", NULL, 0, NULL, NULL);

	bm_statement_fail(statement);
	bm_statement_destroy(statement);
	bm_statement_destroy(NULL);
}

static void test_texts_of_libpq_become_one_line(void **state)
{
	(void)state;
	char *line = bm_pq_one_line("\n could not connect:\n\tno such file\n\n");

	assert_string_equal(line, "could not connect: no such file");
	free(line);
	line = bm_pq_one_line(" \n");
	assert_string_equal(line, "");
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_the_queue_is_first_in_first_out),
			cmocka_unit_test(test_a_statement_keeps_copies_and_nulls),
			cmocka_unit_test(test_a_failed_statement_tells_why),
			cmocka_unit_test(test_cells_are_read_and_what_is_not_there_is_null),
			cmocka_unit_test(test_an_error_without_details_is_still_an_error),
			cmocka_unit_test(test_a_statement_nobody_waits_for_calls_nobody),
			cmocka_unit_test(test_texts_of_libpq_become_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
