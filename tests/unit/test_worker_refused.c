/* Whose error it is that made a run fail: the table that launch.pl names in front of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "worker/tables/refused_tables.h"

static const char *const tables[] = {
		"public.t", "public.tt", "public.\"a on app_source: b\"", "\"S x\".t"};

static const struct {
	const char *text;
	int index;
	const char *side;
	bool twice;
} cases[] = {
		{"SQLSTATE 22P02 at public.t on app_destination: DBD::Pg::db", 0, "destination",
				false},
		{"SQLSTATE 23505 at public.tt on app_source: x", 1, "source", true},
		{"SQLSTATE P0001 at public.\"a on app_source: b\" on app_destination: x", 2,
				"destination", false},
		{"SQLSTATE 42501 at \"S x\".t on app_destination: x", 3, "destination", true},
		/* Nobody's, or everybody's. */
		{"SQLSTATE 22P02: DBD::Pg::db at public.t on app_destination: x", -1, NULL,
				false},
		{"SQLSTATE 40001 at public.t on app_destination: x", -1, NULL, false},
		{"SQLSTATE 55P03 at public.t on app_destination: x", -1, NULL, false},
		{"SQLSTATE 57014 at public.t on app_destination: x", -1, NULL, false},
		{"SQLSTATE 25006 at public.t on app_destination: x", -1, NULL, false},
		{"SQLSTATE 53100 at public.t on app_destination: x", -1, NULL, false},
		{"SQLSTATE 23505 at public.other on app_destination: x", -1, NULL, false},
		{"SQLSTATE 23505 at public.t on apps_destination: x", -1, NULL, false},
		{"SQLSTATE 23505 at public.t on app_nowhere: x", -1, NULL, false},
		{"SQLSTATE 2350", -1, NULL, false},
		{"SQLSTATE 23505 at ", -1, NULL, false},
		{"Ended (CTL 4)", -1, NULL, false},
		{"", -1, NULL, false},
};

static void test_an_error_belongs_to_the_table_that_it_begins_with(void **state)
{
	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		const char *side = NULL;
		bool twice = false;
		int index = bm_refused_find(cases[i].text, "app", tables, BM_COUNT_OF(tables),
				&side, &twice);
		assert_int_equal(index, cases[i].index);
		if (index >= 0) {
			assert_string_equal(side, cases[i].side);
			assert_int_equal(twice, cases[i].twice);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_an_error_belongs_to_the_table_that_it_begins_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
