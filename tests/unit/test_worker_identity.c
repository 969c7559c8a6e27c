/* What two sides remember of a migration, and what that means: a table of cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "bucardo_machine/macros.h"
#include "worker/live/identity.h"

#define OWNED                                                                                  \
	"\"owner\":\"7\",\"host\":\"pod\",\"since\":\"2026\",\"age_msec\":5000,\"stopped\":\"\""
#define SAME                                                                                   \
	"\"identity\":\"1/2\",\"identity_now\":\"1/2\",\"timeline\":\"1\",\"timeline_now\":\"1\""
#define MOVED                                                                                  \
	"\"identity\":\"1/2\",\"identity_now\":\"1/2\",\"timeline\":\"1\",\"timeline_now\":\"2\""
#define PASS(n, nonce, before)                                                                 \
	"\"pass\":" #n ",\"nonce\":\"" nonce "\",\"before\":\"" before "\""
#define RUN(n, nonce) "\"runs\":{\"app_sync\":{\"run\":" #n ",\"nonce\":\"" nonce "\"}}"
#define SIDE(where, pass, run) "{" OWNED "," where "," pass "," run "}"

static const struct {
	const char *source, *destination;
	enum bm_identity_result result;
	const char *words; /* in the reason */
} cases[] = {
		{NULL, NULL, BM_IDENTITY_NEW, ""},
		{SIDE(SAME, PASS(5, "e", "d"), RUN(3, "x")),
				SIDE(SAME, PASS(5, "e", "d"), RUN(3, "x")), BM_IDENTITY_GOOD,
				""},
		/* A worker was killed between the two sides. */
		{SIDE(SAME, PASS(6, "f", "e"), RUN(3, "x")),
				SIDE(SAME, PASS(5, "e", "d"), RUN(3, "x")), BM_IDENTITY_GOOD,
				""},
		/* A run was killed between the two commits. */
		{SIDE(SAME, PASS(5, "e", "d"), RUN(3, "x")),
				SIDE(SAME, PASS(5, "e", "d"), RUN(4, "y")), BM_IDENTITY_GOOD,
				""},
		/* Failovers that lost nothing. */
		{SIDE(MOVED, PASS(5, "e", "d"), RUN(3, "x")),
				SIDE(SAME, PASS(5, "e", "d"), RUN(3, "x")), BM_IDENTITY_GOOD,
				""},
		{SIDE(SAME, PASS(5, "e", "d"), RUN(3, "x")),
				SIDE(MOVED, PASS(5, "e", "d"), RUN(3, "x")), BM_IDENTITY_GOOD,
				""},
		/* The last run, or the last passes, are missing. */
		{SIDE(MOVED, PASS(5, "e", "d"), RUN(3, "x")),
				SIDE(SAME, PASS(5, "e", "d"), RUN(4, "y")),
				BM_IDENTITY_REPLACED, "the source is not as it was left"},
		{SIDE(SAME, PASS(5, "e", "d"), RUN(3, "x")),
				SIDE(SAME, PASS(5, "e", "d"), RUN(2, "w")),
				BM_IDENTITY_REPLACED, "the destination is not as it was left"},
		{SIDE(SAME, PASS(5, "e", "d"), RUN(3, "x")),
				SIDE(SAME, PASS(5, "e", "d"), RUN(3, "q")),
				BM_IDENTITY_REPLACED, "without each other"},
		{SIDE(SAME, PASS(9, "h", "g"), RUN(3, "x")),
				SIDE(SAME, PASS(5, "e", "d"), RUN(3, "x")),
				BM_IDENTITY_REPLACED,
				"its last pass is 5, and the source knows of 9"},
		{SIDE(SAME, PASS(5, "e", "d"), RUN(3, "x")),
				SIDE(SAME, PASS(6, "f", "e"), RUN(3, "x")),
				BM_IDENTITY_REPLACED, "the source is not as it was left"},
		{SIDE(SAME, PASS(6, "f", "other"), RUN(3, "x")),
				SIDE(SAME, PASS(5, "e", "d"), RUN(3, "x")),
				BM_IDENTITY_REPLACED, "set back"},
		/* Nothing is left of it on one side. */
		{NULL, SIDE(SAME, PASS(5, "e", "d"), RUN(3, "x")), BM_IDENTITY_REPLACED,
				"the source has nothing"},
		{SIDE(SAME, PASS(5, "e", "d"), RUN(3, "x")), NULL, BM_IDENTITY_REPLACED,
				"the destination has nothing"},
};

static enum bm_identity_result evaluate(size_t i, const char *owner, struct bm_strbuf *why)
{
	json_t *source = cases[i].source != NULL ? json_loads(cases[i].source, 0, NULL) : NULL;
	json_t *destination = cases[i].destination != NULL
			? json_loads(cases[i].destination, 0, NULL)
			: NULL;
	enum bm_identity_result result = bm_identity_evaluate(source, destination, owner, why);

	json_decref(source);
	json_decref(destination);
	return result;
}

static void test_each_case_has_its_result(void **state)
{
	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		struct bm_strbuf why = BM_STRBUF_INIT;
		if (evaluate(i, "7", &why) != cases[i].result ||
				strstr(bm_strbuf_text(&why), cases[i].words) == NULL) {
			fail_msg("case %zu: %s", i, bm_strbuf_text(&why));
		}
		bm_strbuf_finish(&why);
	}
}

static void test_another_owner_counts_more_than_anything_else(void **state)
{
	(void)state;
	for (size_t i = 1; i < BM_COUNT_OF(cases); i++) {
		struct bm_strbuf why = BM_STRBUF_INIT;
		assert_int_equal(evaluate(i, "8", &why), BM_IDENTITY_FOREIGN);
		assert_non_null(strstr(bm_strbuf_text(&why), "host pod (control cluster 7)"));
		bm_strbuf_finish(&why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_each_case_has_its_result),
			cmocka_unit_test(test_another_owner_counts_more_than_anything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
