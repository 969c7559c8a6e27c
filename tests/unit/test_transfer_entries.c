/* A script of pg_restore must come apart at its objects and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "transfer/entries.h"

#define HEADER(name, type, schema, owner)                                                      \
	"--\n-- Name: " name "; Type: " type "; Schema: " schema "; Owner: " owner "\n--\n\n"

static void assert_ends_after(const char *statement, const char *rest)
{
	char script[2000];

	snprintf(script, sizeof(script), "%s%s", statement, rest);
	assert_int_equal(bm_statement_end(script, strlen(script), 0), strlen(statement));
}

static void test_a_statement_ends_at_its_own_semicolon(void **state)
{
	static const char *const statements[] = {
			"SELECT 1;",
			"SELECT ';', 'it''s;';",
			"SELECT E'\\';' ;",
			"SELECT \"a;\"\"b;\";",
			"SELECT $$;$$, $a$ $$; $a$;",
			"SELECT 1 /* ; /* ; */ ; */ -- ;\n;",
			"CREATE RULE r AS ON UPDATE TO t DO (SELECT 1; SELECT 2);",
			("CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN "
			 "true THEN 1 END; SELECT 2; END;"),
			"CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END;",
			"SELECT 'end\\';",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		assert_ends_after(statements[i], " SELECT 2;");
		assert_ends_after(statements[i], "");
	}
}

static void test_the_word_begin_elsewhere_opens_nothing(void **state)
{
	(void)state;
	assert_ends_after("SELECT begin, function, case_x FROM t;", " SELECT 2;");
	assert_ends_after("COMMENT ON FUNCTION begin() IS 'x';", " SELECT 2;");
	assert_ends_after("ALTER TABLE a$b$c ADD d integer;", " SELECT $b$;$b$;");
}

static void test_a_text_without_an_end_ends_with_the_script(void **state)
{
	static const char *const torn[] = {"SELECT 'a", "SELECT $x$ a", "SELECT /* a",
			"SELECT (", "SELECT \"", "SELECT E'\\"};

	(void)state;
	for (size_t i = 0; i < sizeof(torn) / sizeof(torn[0]); i++) {
		assert_ends_after(torn[i], "");
	}
}

static void test_objects_come_with_their_header_and_all_their_statements(void **state)
{
	static const char script[] = "\\restrict abc\nSET statement_timeout = 0;\n" HEADER(
			"a; Type: b", "TABLE", "odd; schema",
			"me") "CREATE TABLE a ();\n\n\n"
			      "ALTER TABLE a OWNER TO me;\nSET default_table_access_method = heap;\n" HEADER(
					      "f()", "FUNCTION", "public",
					      "you") "CREATE FUNCTION f() AS $$\n--\n-- Name: fake; Type: TABLE; "
						     "Schema: s; Owner: o\n--\nSELECT 1;$$;\n\\unrestrict abc\n";
	struct bm_entries entries;

	(void)state;
	bm_entries_parse(script, strlen(script), &entries);
	assert_int_equal(entries.count, 2);
	assert_string_equal(entries.list[0].name, "a; Type: b");
	assert_string_equal(entries.list[0].type, "TABLE");
	assert_string_equal(entries.list[0].schema, "odd; schema");
	assert_string_equal(entries.list[0].owner, "me");
	assert_string_equal(bm_strbuf_text(&entries.list[0].sql),
			"CREATE TABLE a ();\nALTER TABLE a OWNER TO me;\n");
	assert_non_null(strstr(bm_strbuf_text(&entries.list[1].sql),
			"SET default_table_access_method = heap;"));
	assert_non_null(strstr(bm_strbuf_text(&entries.list[1].sql), "Name: fake"));
	bm_entries_finish(&entries);
}

static void test_an_empty_script_has_no_objects(void **state)
{
	struct bm_entries entries;

	(void)state;
	bm_entries_parse("", 0, &entries);
	assert_int_equal(entries.count, 0);
	bm_entries_finish(&entries);
}

static bool needs(const char *statement)
{
	static const char *const missing[] = {"clerk", "\"Odd Role\"", NULL};

	return bm_statement_needs_role(statement, strlen(statement), missing);
}

static void test_a_missing_role_is_found_where_it_acts_and_only_there(void **state)
{
	(void)state;
	assert_true(needs("ALTER TABLE a OWNER TO clerk;"));
	assert_true(needs("GRANT SELECT ON TABLE a TO clerk WITH GRANT OPTION;"));
	assert_true(needs("REVOKE ALL ON TABLE a FROM \"Odd Role\";"));
	assert_true(needs(
			"ALTER DEFAULT PRIVILEGES FOR ROLE clerk IN SCHEMA s GRANT ALL TO me;"));
	assert_false(needs("ALTER TABLE clerk OWNER TO clerks;"));
	assert_false(needs("GRANT SELECT ON TABLE clerk TO me;"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_a_statement_ends_at_its_own_semicolon),
			cmocka_unit_test(test_the_word_begin_elsewhere_opens_nothing),
			cmocka_unit_test(test_a_text_without_an_end_ends_with_the_script),
			cmocka_unit_test(
					test_objects_come_with_their_header_and_all_their_statements),
			cmocka_unit_test(test_an_empty_script_has_no_objects),
			cmocka_unit_test(
					test_a_missing_role_is_found_where_it_acts_and_only_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
