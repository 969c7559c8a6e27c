/* Quoting of names and values for SQL text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/postgres.h"

static void assert_ident(const char *name, const char *expected)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	bm_quote_ident(&out, name);
	assert_string_equal(bm_strbuf_text(&out), expected);
	bm_strbuf_finish(&out);
}

static void assert_literal(const char *value, const char *expected)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	bm_quote_literal(&out, value);
	assert_string_equal(bm_strbuf_text(&out), expected);
	bm_strbuf_finish(&out);
}

static void test_an_identifier_keeps_case_and_spaces(void **state)
{
	(void)state;
	assert_ident("my Table", "\"my Table\"");
	assert_ident("", "\"\"");
}

static void test_a_quote_in_an_identifier_is_doubled(void **state)
{
	(void)state;
	assert_ident("a\"; drop table b; --", "\"a\"\"; drop table b; --\"");
}

static void test_a_quote_in_a_literal_is_doubled(void **state)
{
	(void)state;
	assert_literal("it's", "'it''s'");
	assert_literal("''", "''''''");
	assert_literal("", "''");
}

static void test_a_backslash_makes_an_escape_string(void **state)
{
	(void)state;
	assert_literal("a\\'b", " E'a\\\\''b'");
}

static void test_text_beyond_ascii_passes_unchanged(void **state)
{
	(void)state;
	assert_literal("größe", "'größe'");
	assert_ident("größe", "\"größe\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_an_identifier_keeps_case_and_spaces),
			cmocka_unit_test(test_a_quote_in_an_identifier_is_doubled),
			cmocka_unit_test(test_a_quote_in_a_literal_is_doubled),
			cmocka_unit_test(test_a_backslash_makes_an_escape_string),
			cmocka_unit_test(test_text_beyond_ascii_passes_unchanged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
