/* Two definitions of a table compared: what differs, whether it breaks, what mends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "bucardo_machine/macros.h"
#include "worker/tend_drift.h"

/* Members of a column that are not given are as in ID. */
#define ID "'id':{'name':'id','type':'integer','required':true}"
#define TABLE(columns) "{'key':'id','top':'public.t','columns':{" ID columns "}}"
#define V(more) ",'v':{'name':'v','type':'text'" more "}"

struct expected {
	const char *source, *destination; /* NULL: no such table */
	const char *difference, *mend;	  /* parts of the first; NULL: nothing differs */
	bool breaks, rewritten;
};

static const struct expected cases[] = {
		{TABLE(V("")), TABLE(V("")), NULL, NULL, false, false},
		{TABLE(V(",'default':'5','filled':true")), TABLE(""),
				"column v is on the source only",
				"ALTER TABLE public.t ADD COLUMN v text DEFAULT 5", true,
				false},
		{TABLE(V(",'default':'now()','required':true")), TABLE(""),
				"v is on the source only",
				"ADD COLUMN v text DEFAULT now() NOT NULL", true, true},
		{TABLE(V(",'generated':'s','default':'id * (2)','filled':true")), TABLE(""),
				"v is on the source only",
				"GENERATED ALWAYS AS (id * (2)) STORED", true, false},
		{TABLE(""), TABLE(V("")), "v is on the destination only", "DROP COLUMN v",
				false, false},
		{TABLE(""), TABLE(V(",'required':true")), "v is on the destination only",
				"DROP COLUMN v", true, false},
		{TABLE(V("")), TABLE(",'w':{'name':'w','type':'text'}"),
				"as if it had been renamed", "RENAME COLUMN w TO v", true,
				true},
		{TABLE(V("")), TABLE(",'w':{'name':'w','type':'integer'}"),
				"v is on the source only", "ADD COLUMN v text", true, true},
		{TABLE(V("")), TABLE(",'v':{'name':'v','type':'integer'}"),
				"v is text on the source and integer on the destination",
				"ALTER COLUMN v TYPE text", true, true},
		{TABLE(V(",'required':true")), TABLE(V("")), "NOT NULL on the source only",
				"SET NOT NULL", false, false},
		{TABLE(V("")), TABLE(V(",'required':true")), "NOT NULL on the destination only",
				"DROP NOT NULL", true, false},
		{TABLE(V(",'default':'1','same':'1'")), TABLE(V(",'default':'2','same':'2'")),
				"another default", "SET DEFAULT 1", false, false},
		{TABLE(V("")), TABLE(V(",'identity':'a'")), "identity", "public.t", false,
				false},
		{TABLE(V("")), TABLE(V(",'generated':'s','default':'id','same':'id'")),
				"generated otherwise", "DROP COLUMN v, ADD COLUMN v text", true,
				true},
		{TABLE(V(",'inherited':true,'filled':true")),
				"{'key':'id','top':'public.root','columns':{" ID "}}",
				"v is on the source only", "ALTER TABLE public.root ADD", true,
				false},
		{"{'key':'id, v','top':'public.t','columns':{" ID "}}", TABLE(""),
				"primary key is (id, v) on the source",
				"ADD PRIMARY KEY (id, v)", true, false},
		{NULL, TABLE(""), "the source has no such table", "DROP TABLE public.t", true,
				false},
		{TABLE(""), NULL, "the destination has no such table", "pg_dump", true, true},
		{NULL, NULL, NULL, NULL, false, false},
};

/* JSON with ' for ". */
static json_t *parse(const char *text)
{
	char copy[1024];

	if (text == NULL) {
		return NULL;
	}
	assert_true(strlen(text) < sizeof(copy));
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *c = copy; *c != '\0'; c++) {
		*c = *c == '\'' ? '"' : *c;
	}
	json_t *parsed = json_loads(copy, 0, NULL);
	if (parsed == NULL) {
		fail_msg("no JSON: %s", text);
	}
	return parsed;
}

static void check(const struct expected *expected, size_t index)
{
	json_t *source = parse(expected->source), *dest = parse(expected->destination);
	json_t *out = json_array();
	bool rewritten = false;
	bool breaks = bm_drift_compare(
			"public.t", BM_END_SOURCE, source, dest, true, out, &rewritten);
	const json_t *first = json_array_get(out, 0);

	if (expected->difference == NULL) {
		assert_int_equal(json_array_size(out), 0);
	} else if (first == NULL ||
			strstr(json_string_value(json_object_get(first, "difference")),
					expected->difference) == NULL ||
			strstr(json_string_value(json_object_get(first, "mend")),
					expected->mend) == NULL) {
		fail_msg("case %zu: %s", index, json_dumps(out, 0));
	}
	if (breaks != expected->breaks || rewritten != expected->rewritten) {
		fail_msg("case %zu: breaks %d, rewritten %d", index, breaks, rewritten);
	}
	json_decref(source);
	json_decref(dest);
	json_decref(out);
}

static void test_what_differs_is_told_with_its_mend(void **state)
{
	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		check(&cases[i], i);
	}
}

static void test_defaults_are_compared_by_text_on_one_version_only(void **state)
{
	json_t *a = parse(TABLE(V(",'default':'1'"))), *b = parse(TABLE(V(",'default':'(1)'")));
	json_t *none = parse(TABLE(V("")));
	json_t *out = json_array();
	bool rewritten;

	(void)state;
	bm_drift_compare("public.t", BM_END_SOURCE, a, b, false, out, &rewritten);
	assert_int_equal(json_array_size(out), 0);
	bm_drift_compare("public.t", BM_END_SOURCE, a, none, false, out, &rewritten);
	assert_int_equal(json_array_size(out), 1);
	json_decref(a);
	json_decref(b);
	json_decref(none);
	json_decref(out);
}

/* What the destination has and the source has not, once applications write to the destination.
 */
static void test_statements_are_for_the_side_that_follows(void **state)
{
	json_t *wide = parse(TABLE(V("")));
	json_t *narrow = parse("{'key':'id','top':'public.t','columns':{" ID V(
			"") "},'guards':["
			    "{'name':'c','def':'CHECK (v > 0)','same':'CHECKv>0','said':'CHECK (v > 0)'}]}");
	json_t *out = json_array();
	bool rewritten;

	(void)state;
	/* What the live side refuses no row of it is refused for. */
	assert_false(bm_drift_compare(
			"public.t", BM_END_DESTINATION, wide, narrow, true, out, &rewritten));
	assert_string_equal(json_string_value(json_object_get(json_array_get(out, 0), "mend")),
			"on the source: ALTER TABLE public.t ADD CONSTRAINT c CHECK (v > 0)");
	json_array_clear(out);
	assert_true(bm_drift_compare(
			"public.t", BM_END_DESTINATION, narrow, wide, true, out, &rewritten));
	assert_string_equal(json_string_value(json_object_get(json_array_get(out, 0), "mend")),
			"on the source: ALTER TABLE public.t DROP CONSTRAINT c");
	json_decref(wide);
	json_decref(narrow);
	json_decref(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_what_differs_is_told_with_its_mend),
			cmocka_unit_test(
					test_defaults_are_compared_by_text_on_one_version_only),
			cmocka_unit_test(test_statements_are_for_the_side_that_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
