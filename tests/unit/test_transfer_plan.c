/* Ranges cover every row once; what comes after the rows runs in a safe order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "worker/transfer/chunks.h"
#include "worker/transfer/progress.h"
#include "worker/transfer/post_data.h"

#define MIB ((uint64_t)1 << 20)

static char a[] = "\"a\"", b[] = "\"b\"", integer[] = "integer", text[] = "text";
static const struct bm_key one = {.count = 1, .columns = {a}, .types = {integer}};
static const struct bm_key two = {.count = 2, .columns = {a, b}, .types = {integer, text}};

static void assert_condition(const struct bm_key *key, const char *const *low,
		const char *const *high, const char *expected)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_chunk_condition(key, low, high, &sql);
	assert_string_equal(bm_strbuf_text(&sql), expected);
	bm_strbuf_finish(&sql);
}

static void test_a_table_is_cut_by_its_bytes(void **state)
{
	(void)state;
	assert_int_equal(bm_chunk_count(0, 64 * MIB, false), 1);
	assert_int_equal(bm_chunk_count(64 * MIB, 64 * MIB, false), 1);
	assert_int_equal(bm_chunk_count(95 * MIB, 64 * MIB, false), 1);
	assert_int_equal(bm_chunk_count(96 * MIB, 64 * MIB, false), 2);
	assert_int_equal(bm_chunk_count(640 * MIB, 64 * MIB, false), 10);
	assert_int_equal(bm_chunk_count(UINT64_MAX / 2, MIB, false), 100000);
}

static void test_a_table_of_a_few_chunks_stays_whole_where_it_may(void **state)
{
	(void)state;
	assert_int_equal(bm_chunk_count(0, 64 * MIB, true), 1);
	assert_int_equal(bm_chunk_count(287 * MIB, 64 * MIB, true), 1);
	assert_int_equal(bm_chunk_count(288 * MIB, 64 * MIB, true), 5);
	assert_int_equal(bm_chunk_count(640 * MIB, 64 * MIB, true), 10);
}

static void test_the_first_range_is_open_below_and_the_last_above(void **state)
{
	const char *low[] = {"10", "x"}, *high[] = {"20", "it's \\"};

	(void)state;
	assert_condition(&one, NULL, high, "\"a\" < '20'::integer");
	assert_condition(&one, low, high, "\"a\" >= '10'::integer AND \"a\" < '20'::integer");
	assert_condition(&one, low, NULL, "\"a\" >= '10'::integer");
	assert_condition(&one, NULL, NULL, "");
	assert_condition(&two, low, high,
			"ROW(\"a\", \"b\") >= ROW('10'::integer, 'x'::text) AND "
			"ROW(\"a\", \"b\") < ROW('20'::integer,  E'it''s \\\\'::text)");
}

static void test_a_whole_table_is_copied_without_a_query(void **state)
{
	char name[] = "\"s\".\"t\"", columns[] = "\"a\", \"b\"", none[] = "";
	const struct bm_table table = {.name = name, .columns = columns, .filter = none};
	const struct bm_table bare = {.name = name, .columns = none, .filter = none};
	struct bm_strbuf sql = BM_STRBUF_INIT;

	(void)state;
	bm_chunk_copy_out(&table, "", true, &sql);
	assert_string_equal(bm_strbuf_text(&sql),
			"COPY \"s\".\"t\" (\"a\", \"b\") TO STDOUT (FORMAT binary)");
	bm_strbuf_clear(&sql);
	bm_chunk_copy_out(&table, "\"a\" < 1", false, &sql);
	assert_string_equal(bm_strbuf_text(&sql),
			"COPY (SELECT \"a\", \"b\" FROM ONLY \"s\".\"t\"  WHERE \"a\" < 1) TO STDOUT");
	bm_strbuf_clear(&sql);
	bm_chunk_copy_in(&bare, false, false, &sql);
	assert_string_equal(bm_strbuf_text(&sql), "COPY \"s\".\"t\" FROM STDIN");
	bm_strbuf_clear(&sql);
	bm_chunk_copy_in(&table, true, true, &sql);
	assert_string_equal(bm_strbuf_text(&sql),
			"TRUNCATE ONLY \"s\".\"t\"; COPY \"s\".\"t\" (\"a\", \"b\") FROM STDIN"
			" (FREEZE, FORMAT binary)");
	bm_strbuf_finish(&sql);
}

static void test_progress_never_falls_and_reaches_a_hundred_only_at_the_end(void **state)
{
	double highest = 0;

	(void)state;
	for (uint64_t done = 0; done <= 1200; done += 100) {
		double percent = bm_progress_percent(highest, done, 1000, false);
		assert_true(percent >= highest && percent < 100);
		highest = percent;
	}
	assert_true(bm_progress_percent(highest, 5, 1000, false) == highest);
	assert_true(bm_progress_percent(0, 0, 0, false) == 0);
	assert_true(bm_progress_percent(highest, 1000, 1000, true) == 100);
}

/* ---- the order of works ---- */

static char t1[] = "t1", t2[] = "t2", nothing[] = "";

static struct bm_post_object object(
		enum bm_stage stage, char *table, uint64_t cost, bool shares)
{
	return (struct bm_post_object){.stage = stage,
			.tables = {table, nothing},
			.cost = cost,
			.shares = shares};
}

static const bool none_failed[8];

static void test_indexes_of_one_table_run_together_and_the_costliest_first(void **state)
{
	struct bm_post_object objects[] = {
			object(BM_STAGE_BUILD, t1, 5, true),
			object(BM_STAGE_BUILD, t1, 9, true),
			object(BM_STAGE_FOREIGN, t1, 99, false),
	};
	struct bm_running running = {0};
	bool waiting;

	(void)state;
	assert_ptr_equal(bm_post_data_next(objects, 3, &running, none_failed, &waiting),
			&objects[1]);
	running.list[running.count++] = &objects[1];
	objects[1].running = true;
	assert_ptr_equal(bm_post_data_next(objects, 3, &running, none_failed, &waiting),
			&objects[0]);
	running.list[running.count++] = &objects[0];
	objects[0].running = true;
	assert_null(bm_post_data_next(objects, 3, &running, none_failed, &waiting));
	assert_true(waiting);
}

static void test_a_stage_waits_for_all_of_the_one_before(void **state)
{
	struct bm_post_object objects[] = {
			object(BM_STAGE_BUILD, t1, 5, true),
			object(BM_STAGE_FOREIGN, t2, 99, false),
	};
	struct bm_running running = {.list = {&objects[0]}, .count = 1};
	bool waiting;

	(void)state;
	assert_null(bm_post_data_next(objects, 2, &running, none_failed, &waiting));
	objects[0].done = true;
	running.count = 0;
	assert_ptr_equal(bm_post_data_next(objects, 2, &running, none_failed, &waiting),
			&objects[1]);
	objects[1].done = true;
	assert_null(bm_post_data_next(objects, 2, &running, none_failed, &waiting));
	assert_false(waiting);
}

static void test_constraints_on_one_table_never_run_at_once(void **state)
{
	struct bm_post_object objects[] = {
			object(BM_STAGE_FOREIGN, t1, 5, false),
			object(BM_STAGE_FOREIGN, t1, 4, false),
			object(BM_STAGE_FOREIGN, t2, 3, false),
	};
	struct bm_running running = {.list = {&objects[0]}, .count = 1};
	bool waiting;

	(void)state;
	objects[2].tables[1] = t1;
	assert_null(bm_post_data_next(objects, 3, &running, none_failed, &waiting));
	objects[2].tables[1] = nothing;
	assert_ptr_equal(bm_post_data_next(objects, 3, &running, none_failed, &waiting),
			&objects[2]);
}

static void test_a_work_that_failed_does_not_hold_up_the_next_stage(void **state)
{
	struct bm_post_object objects[] = {
			object(BM_STAGE_BUILD, t1, 5, true),
			object(BM_STAGE_REST, nothing, 0, false),
	};
	const bool failed[] = {true, false};
	struct bm_running running = {0};
	bool waiting;

	(void)state;
	assert_ptr_equal(
			bm_post_data_next(objects, 2, &running, failed, &waiting), &objects[1]);
}

static void test_triggers_come_last_of_all(void **state)
{
	static const char *const earlier[] = {"INDEX", "CONSTRAINT", "FK CONSTRAINT", "RULE",
			"POLICY", "STATISTICS", "INDEX ATTACH", "MATERIALIZED VIEW"};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(earlier); i++) {
		assert_true(bm_post_data_stage(earlier[i]) < bm_post_data_stage("TRIGGER"));
	}
	assert_true(bm_post_data_stage("INDEX") < bm_post_data_stage("INDEX ATTACH"));
	assert_true(bm_post_data_stage("INDEX ATTACH") < bm_post_data_stage("FK CONSTRAINT"));
	assert_int_equal(bm_post_data_stage("something new"), BM_STAGE_REST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_a_table_is_cut_by_its_bytes),
			cmocka_unit_test(test_a_table_of_a_few_chunks_stays_whole_where_it_may),
			cmocka_unit_test(test_the_first_range_is_open_below_and_the_last_above),
			cmocka_unit_test(test_a_whole_table_is_copied_without_a_query),
			cmocka_unit_test(
					test_progress_never_falls_and_reaches_a_hundred_only_at_the_end),
			cmocka_unit_test(
					test_indexes_of_one_table_run_together_and_the_costliest_first),
			cmocka_unit_test(test_a_stage_waits_for_all_of_the_one_before),
			cmocka_unit_test(test_constraints_on_one_table_never_run_at_once),
			cmocka_unit_test(
					test_a_work_that_failed_does_not_hold_up_the_next_stage),
			cmocka_unit_test(test_triggers_come_last_of_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
