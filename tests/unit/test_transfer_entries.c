/* A script of pg_restore must come apart at its objects and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "worker/dump/entries.h"

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

static void test_a_verbose_script_tells_where_an_object_comes_from(void **state)
{
	static const char script[] =
			"--\n-- TOC entry 215 (class 1259 OID 16385)\n-- Dependencies: 3 17\n"
			"-- Name: t; Type: TABLE; Schema: public; Owner: me\n--\n\n"
			"CREATE TABLE public.t (\n\ta integer\n);\n\n\n"
			"--\n-- TOC entry 9 (class 0 OID 0)\n"
			"-- Name: TABLE t; Type: COMMENT; Schema: public; Owner: me\n--\n\n"
			"COMMENT ON TABLE public.t IS '\n-- TOC entry 1 (class 2 OID 3)\n';\n";
	struct bm_entries entries;

	(void)state;
	bm_entries_parse(script, sizeof(script) - 1, &entries);
	assert_int_equal(entries.count, 2);
	assert_int_equal(entries.list[0].number, 215);
	assert_int_equal(entries.list[0].class_oid, 1259);
	assert_int_equal(entries.list[0].oid, 16385);
	assert_string_equal(entries.list[0].needs, " 3 17 ");
	assert_int_equal(entries.list[1].number, 9);
	assert_int_equal(entries.list[1].oid, 0);
	assert_string_equal(entries.list[1].needs, "");
	bm_entries_remove(&entries, 0);
	assert_int_equal(entries.count, 1);
	assert_string_equal(entries.list[0].type, "COMMENT");
	bm_entries_finish(&entries);
}

static void test_a_name_with_quotes_is_known_by_its_doubled_ones(void **state)
{
	char schema[] = "a b", name[] = "6\" nail";
	const struct bm_entry entry = {.schema = schema, .name = name};

	(void)state;
	assert_true(bm_entry_is_named(&entry, "\"a b\".\"6\"\" nail\""));
	assert_false(bm_entry_is_named(&entry, "\"a b\".\"6\" nail\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_a_verbose_script_tells_where_an_object_comes_from),
			cmocka_unit_test(test_a_statement_ends_at_its_own_semicolon),
			cmocka_unit_test(test_the_word_begin_elsewhere_opens_nothing),
			cmocka_unit_test(test_a_text_without_an_end_ends_with_the_script),
			cmocka_unit_test(
					test_objects_come_with_their_header_and_all_their_statements),
			cmocka_unit_test(test_a_name_with_quotes_is_known_by_its_doubled_ones),
			cmocka_unit_test(test_an_empty_script_has_no_objects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
