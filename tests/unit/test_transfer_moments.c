/* Moments of a source: what an older one can tell beside a newer one, and who is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "worker/transfer/moments.h"

static void test_rows_are_too_new_from_the_oldest_transaction_under_way_on(void **state)
{
	(void)state;
	assert_int_equal(bm_moment_limit("1/750:750:", "1/760:760:"), 750);
	assert_int_equal(bm_moment_limit("1/742:750:742,745", "1/760:763:761"), 742);
	/* Rows have 32 bits of it. */
	assert_int_equal(
			bm_moment_limit("1/4294968046:4294968046:", "1/4294968050:4294968050:"),
			750);
}

static void test_a_moment_that_says_nothing_is_in_doubt(void **state)
{
	static const struct {
		const char *older, *newer;
	} cases[] = {
			{"", "1/760:760:"},			    /* of an earlier program */
			{"1/750:750:", "2/760:760:"},		    /* failed over, restored */
			{"1/770:770:", "1/760:760:"},		    /* went back */
			{"1/750:790:750", "1/760:780:"},	    /* went back a little */
			{"1/750:750:", "1/2147484398:2147484398:"}, /* ages have 32 bits */
			{"1/x", "1/760:760:"},
	};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		assert_int_equal(bm_moment_limit(cases[i].older, cases[i].newer), 0);
	}
}

static char table_a[] = "\"a\"", table_b[] = "\"b\"", table_c[] = "\"c\"";
static char old_moment[] = "1/7:7:", new_moment[] = "1/9:9:";

static struct bm_chunk chunks[] = {
		{.table = table_a, .moment = new_moment},
		{.table = table_b, .moment = old_moment},
		{.table = table_b, .moment = old_moment},
		{.table = table_c, .moment = NULL},
};

static char noted[200];

static void on_note(void *ctx, const char *text)
{
	(void)ctx;
	snprintf(noted, sizeof(noted), "%s", text);
}

static void test_what_cannot_be_made_one_moment_is_named_and_refused(void **state)
{
	struct bm_transfer t = {.options = {.note = on_note},
			.moment = new_moment,
			.ledger = {.chunks = chunks, .chunk_count = BM_COUNT_OF(chunks)}};
	struct bm_error err = BM_ERROR_INIT;

	(void)state;
	assert_false(bm_moments_agree(&t));
	assert_int_equal(bm_moments_refuse(&t, &err), -1);
	assert_int_equal(err.code, BM_ERR_MOMENTS);
	assert_non_null(strstr(err.message, ": \"b\", \"c\"; "));
	assert_non_null(strstr(err.message, "--accept-moments"));
	t.options.accept_moments = true;
	err = (struct bm_error)BM_ERROR_INIT;
	assert_int_equal(bm_moments_refuse(&t, &err), 0);
	assert_non_null(strstr(noted, "\"b\", \"c\""));
}

static void test_chunks_of_one_moment_agree_when_it_is_known(void **state)
{
	struct bm_transfer t = {.ledger = {.chunks = chunks + 1, .chunk_count = 2}};

	(void)state;
	assert_true(bm_moments_agree(&t));
	t.ledger = (struct bm_ledger){.chunks = chunks + 3, .chunk_count = 1};
	assert_false(bm_moments_agree(&t));
	t.ledger.chunk_count = 0;
	assert_true(bm_moments_agree(&t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_rows_are_too_new_from_the_oldest_transaction_under_way_on),
			cmocka_unit_test(test_a_moment_that_says_nothing_is_in_doubt),
			cmocka_unit_test(
					test_what_cannot_be_made_one_moment_is_named_and_refused),
			cmocka_unit_test(test_chunks_of_one_moment_agree_when_it_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
