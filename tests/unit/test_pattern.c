/* Patterns of tables mean what pg_dump's mean, or are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/pattern.h"

static void test_a_pattern_becomes_two_regular_expressions(void **state)
{
	static const struct {
		const char *pattern, *schema, *table;
	} cases[] = {
			{"audit.*", "^(audit)$", "^(.*)$"},
			{"public.log_?", "^(public)$", "^(log_.)$"},
			{"Public.FILM", "^(public)$", "^(film)$"},
			{"\"My Schema\".\"A.b\"", "^(My Schema)$", "^(A\\.b)$"},
			{"a.\"say \"\"x\"\"\"", "^(a)$", "^(say \"x\")$"},
			{"a.\"*\"", "^(a)$", "^(\\*)$"},
			{"*.t$|(x)", "^(.*)$", "^(t\\$\\|\\(x\\))$"},
			{"a.\"Log\"*", "^(a)$", "^(Log.*)$"},
	};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		struct bm_strbuf schema = BM_STRBUF_INIT, table = BM_STRBUF_INIT;
		assert_null(bm_pattern_parse(cases[i].pattern, &schema, &table));
		assert_string_equal(bm_strbuf_text(&schema), cases[i].schema);
		assert_string_equal(bm_strbuf_text(&table), cases[i].table);
		bm_strbuf_finish(&schema);
		bm_strbuf_finish(&table);
	}
}

static void test_what_is_no_pattern_is_refused_with_the_reason(void **state)
{
	static const char *const wrong[] = {
			"", "film", ".", "a.", ".b", "a.b.c", "a.\"b", "\"a.b\"", "\"\".\"\""};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(wrong); i++) {
		struct bm_strbuf schema = BM_STRBUF_INIT, table = BM_STRBUF_INIT;
		if (bm_pattern_parse(wrong[i], &schema, &table) == NULL) {
			fail_msg("taken: %s", wrong[i]);
		}
		bm_strbuf_finish(&schema);
		bm_strbuf_finish(&table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_a_pattern_becomes_two_regular_expressions),
			cmocka_unit_test(test_what_is_no_pattern_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
