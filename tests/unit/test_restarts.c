/* Bucardo that is restarted again and again is told; what a person asks for is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "machine/restarts.h"

static void see(struct restarts *restarts, enum bm_unit_state state, const char *why,
		uint64_t at)
{
	const struct bm_unit_view view = {
			.name = "bucardo", .state = state, .wanted = true, .why = why};

	bm_restarts_see(restarts, &view, at);
}

/* It dies and comes back, `count` times, each 10 s. */
static uint64_t die(struct restarts *restarts, int count)
{
	uint64_t now = 1000000;

	for (int i = 0; i < count; i++, now += 10000) {
		see(restarts, BM_UNIT_READY, "ready", now);
		see(restarts, BM_UNIT_BACKOFF, "ended unasked: exit code 255", now + 1000);
		see(restarts, BM_UNIT_STARTING, "trying again", now + 2000);
	}
	return now;
}

static void test_the_fifth_restart_is_told_with_its_reason_until_it_is_calm(void **state)
{
	struct restarts restarts = {.state = BM_UNIT_DOWN};
	struct bm_strbuf why = BM_STRBUF_INIT;

	(void)state;
	uint64_t now = die(&restarts, 4);
	assert_false(bm_restarts_are_many(&restarts, now, &why));
	restarts = (struct restarts){.state = BM_UNIT_DOWN};
	now = die(&restarts, 5);
	assert_true(bm_restarts_are_many(&restarts, now, &why));
	assert_string_equal(bm_strbuf_text(&why),
			"Bucardo is restarted again and again: 5 times within 40 s, last 9 s ago: "
			"ended unasked: exit code 255");
	assert_false(bm_restarts_are_many(&restarts, now + RESTARTS_CALM_MSEC, &why));
	/* Slow ones, one each 100 s, are no calm between them. */
	for (int i = 0; i < RESTARTS_MANY; i++) {
		restarts.at_msec[i] = now - 100000 * (uint64_t)i;
	}
	assert_true(bm_restarts_are_many(&restarts, now + 199000, &why));
	assert_false(bm_restarts_are_many(&restarts, now + 200000, &why));
	bm_strbuf_finish(&why);
}

static void test_a_restart_by_the_machine_counts_once_and_one_by_a_person_not(void **state)
{
	struct restarts mine = {.state = BM_UNIT_READY}, theirs = {.state = BM_UNIT_READY};
	struct bm_strbuf why = BM_STRBUF_INIT;
	uint64_t now = 1000000;

	(void)state;
	for (int i = 0; i < RESTARTS_MANY; i++, now += 1000) {
		see(&mine, BM_UNIT_STOPPING, "restart asked for: no answer to a ping", now);
		see(&mine, BM_UNIT_BACKOFF, "stopped, as it was not ready in time", now);
		see(&mine, BM_UNIT_READY, "ready", now);
		assert_int_equal(
				bm_restarts_are_many(&mine, now, &why), i + 1 == RESTARTS_MANY);
		see(&theirs, BM_UNIT_STOPPING, "restart asked for: asked by uid 0", now);
		see(&theirs, BM_UNIT_DOWN, "stopped", now);
		see(&theirs, BM_UNIT_READY, "ready", now);
	}
	assert_false(bm_restarts_are_many(&theirs, now, &why));
	bm_strbuf_finish(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_the_fifth_restart_is_told_with_its_reason_until_it_is_calm),
			cmocka_unit_test(
					test_a_restart_by_the_machine_counts_once_and_one_by_a_person_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
