/* Bucardo that is restarted again and again is told; what a person asks for is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/supervise/restarts.h"

static void see_renewed(struct restarts *restarts, enum bm_unit_state state, unsigned renewals,
		const char *why, uint64_t at)
{
	const struct bm_unit_view view = {.name = "bucardo",
			.state = state,
			.wanted = true,
			.renewals = renewals,
			.why = why};

	bm_restarts_see(restarts, &view, at);
}

static void see(struct restarts *restarts, enum bm_unit_state state, const char *why,
		uint64_t at)
{
	see_renewed(restarts, state, 0, why, at);
}

/* It dies and comes back, `count` times, each `every_msec`. */
static uint64_t die(struct restarts *restarts, int count, uint64_t every_msec)
{
	uint64_t now = 1000000;

	for (int i = 0; i < count; i++, now += every_msec) {
		see(restarts, BM_UNIT_READY, "ready", now);
		see(restarts, BM_UNIT_BACKOFF, "ended unasked: exit code 255", now);
		see(restarts, BM_UNIT_STARTING, "trying again", now);
	}
	return now - every_msec; /* the last time */
}

static bool are_many(const struct restarts *restarts, uint64_t now)
{
	struct bm_strbuf why = BM_STRBUF_INIT;
	bool many = bm_restarts_are_many(restarts, now, &why);

	bm_strbuf_finish(&why);
	return many;
}

static void test_the_sixth_restart_is_told_with_its_reason_until_it_is_calm(void **state)
{
	struct restarts restarts = {.state = BM_UNIT_DOWN};
	struct bm_strbuf why = BM_STRBUF_INIT;

	(void)state;
	assert_false(are_many(&restarts, die(&restarts, RESTARTS_MANY - 1, 60000)));
	restarts = (struct restarts){.state = BM_UNIT_DOWN};
	uint64_t last = die(&restarts, RESTARTS_MANY, 60000);
	assert_true(bm_restarts_are_many(&restarts, last + 9000, &why));
	assert_string_equal(bm_strbuf_text(&why),
			"Bucardo is restarted again and again: 6 times within 5 min, last 9 s ago: "
			"ended unasked: exit code 255");
	assert_true(are_many(
			&restarts, last + 119000)); /* slow ones are no calm between them */
	assert_false(are_many(&restarts, last + 120000));
	bm_strbuf_finish(&why);
}

static void test_a_burst_is_one_incident_unless_it_lasts(void **state)
{
	struct restarts restarts = {.state = BM_UNIT_DOWN};

	(void)state;
	assert_false(are_many(&restarts, die(&restarts, 12, 1000)));
	restarts = (struct restarts){.state = BM_UNIT_DOWN};
	uint64_t last = die(&restarts, 60, 265); /* 226 in a minute */
	assert_true(are_many(&restarts, last));
	assert_false(are_many(&restarts, last + RESTARTS_CALM_MSEC));
}

static void test_a_restart_by_the_machine_counts_once_and_one_by_a_person_not(void **state)
{
	struct restarts mine = {.state = BM_UNIT_READY}, theirs = {.state = BM_UNIT_READY};
	struct restarts slow = {.state = BM_UNIT_STARTING};
	uint64_t now = 1000000;

	(void)state;
	for (int i = 0; i < RESTARTS_MANY; i++, now += 20000) {
		unsigned renewals = (unsigned)i + 1;
		see_renewed(&mine, BM_UNIT_STOPPING, renewals, "restarted by the machine", now);
		see_renewed(&mine, BM_UNIT_DOWN, renewals, "stopped", now);
		see_renewed(&mine, BM_UNIT_BACKOFF, renewals, "its next start waits", now);
		see_renewed(&mine, BM_UNIT_READY, renewals, "ready", now);
		assert_int_equal(are_many(&mine, now), i + 1 == RESTARTS_MANY);
		see(&slow, BM_UNIT_STOPPING, "not ready in time", now);
		see(&slow, BM_UNIT_BACKOFF, "stopped, as it was not ready in time", now);
		see(&slow, BM_UNIT_STARTING, "trying again", now);
		assert_int_equal(are_many(&slow, now), i + 1 == RESTARTS_MANY);
		see(&theirs, BM_UNIT_STOPPING, "restart asked for: asked by uid 0", now);
		see(&theirs, BM_UNIT_DOWN, "stopped", now);
		see(&theirs, BM_UNIT_READY, "ready", now);
	}
	assert_false(are_many(&theirs, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_the_sixth_restart_is_told_with_its_reason_until_it_is_calm),
			cmocka_unit_test(test_a_burst_is_one_incident_unless_it_lasts),
			cmocka_unit_test(
					test_a_restart_by_the_machine_counts_once_and_one_by_a_person_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
