/* The roles of a statement are found where they act, mapped, and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/roles.h"
#include "worker/schema/role_names.h"

/* clerk is missing, "Odd ""Role" is called odd, the others stay. */
static const char *map(void *ctx, const char *role)
{
	(void)ctx;
	return strcmp(role, "clerk") == 0		  ? NULL
			: strcmp(role, "Odd \"Role") == 0 ? "odd"
			: strcmp(role, "me") == 0	  ? "me"
							  : "\"An other\"";
}

static void test_roles_are_mapped_where_they_act_and_only_there(void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
			{"ALTER TABLE public.clerk OWNER TO \"Odd \"\"Role\";",
					"ALTER TABLE public.clerk OWNER TO odd;"},
			{"GRANT SELECT ON TABLE clerk TO me WITH GRANT OPTION;",
					"GRANT SELECT ON TABLE clerk TO me WITH GRANT OPTION;"},
			{"REVOKE ALL ON FUNCTION f(a text, \"to\" clerk) FROM PUBLIC;",
					"REVOKE ALL ON FUNCTION f(a text, \"to\" clerk) FROM PUBLIC;"},
			{"ALTER DEFAULT PRIVILEGES FOR ROLE x IN SCHEMA s GRANT ALL ON TABLES TO me;",
					"ALTER DEFAULT PRIVILEGES FOR ROLE \"An other\" IN SCHEMA s "
					"GRANT ALL ON TABLES TO me;"},
			{"CREATE POLICY p ON t FOR SELECT TO clerk, x, me USING ((a = ' TO clerk;'));",
					"CREATE POLICY p ON t FOR SELECT TO \"An other\", me USING ((a = "
					"' TO clerk;'));"},
			{"CREATE USER MAPPING FOR x SERVER s OPTIONS (\n    \"user\" 'clerk'\n);",
					"CREATE USER MAPPING FOR \"An other\" SERVER s OPTIONS (\n    "
					"\"user\" 'clerk'\n);"},
			{"RESET SESSION AUTHORIZATION;", "RESET SESSION AUTHORIZATION;"},
	};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		struct bm_strbuf out = BM_STRBUF_INIT;
		assert_true(bm_statement_map_roles(
				cases[i].before, strlen(cases[i].before), map, NULL, &out));
		assert_string_equal(bm_strbuf_text(&out), cases[i].after);
		bm_strbuf_finish(&out);
	}
}

static void test_a_statement_about_missing_roles_alone_cannot_be(void **state)
{
	static const char *const lost[] = {
			"ALTER TABLE a OWNER TO clerk;",
			"GRANT SELECT ON TABLE a TO clerk WITH GRANT OPTION;",
			"ALTER DEFAULT PRIVILEGES FOR ROLE clerk GRANT ALL ON TABLES TO me;",
			"CREATE POLICY p ON t TO clerk USING (true);",
			"SET SESSION AUTHORIZATION clerk;",
	};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(lost); i++) {
		struct bm_strbuf out = BM_STRBUF_INIT;
		assert_false(bm_statement_map_roles(lost[i], strlen(lost[i]), map, NULL, &out));
		bm_strbuf_finish(&out);
	}
}

static void test_a_statement_that_names_no_role_is_told_apart(void **state)
{
	static const char *const others[] = {
			"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ALTER x OWNER TO y$$;",
			"ALTER TABLE ONLY a ALTER COLUMN b SET DEFAULT ' OWNER TO clerk;'::text;",
			"COMMENT ON TABLE a IS 'GRANT x TO clerk;';",
	};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(others); i++) {
		assert_int_equal(bm_statement_kind(others[i], strlen(others[i])),
				BM_STATEMENT_OTHER);
	}
}

static void test_the_rules_name_roles_anew(void **state)
{
	static const char *const names[] = {"old=new", "older=newest", NULL};
	const struct bm_role_rules rules = {.names = names};

	(void)state;
	assert_string_equal(bm_roles_map(&rules, "old"), "new");
	assert_string_equal(bm_roles_map(&rules, "older"), "newest");
	assert_string_equal(bm_roles_map(&rules, "ol"), "ol");
	assert_string_equal(bm_roles_right(150004), "MEMBER");
	assert_string_equal(bm_roles_right(160000), "SET");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_roles_are_mapped_where_they_act_and_only_there),
			cmocka_unit_test(test_a_statement_about_missing_roles_alone_cannot_be),
			cmocka_unit_test(test_a_statement_that_names_no_role_is_told_apart),
			cmocka_unit_test(test_the_rules_name_roles_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
