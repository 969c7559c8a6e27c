/* However it is asked to, a unit that ends at once is not started more often than the backoff
 * allows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit_host.h"

/* What may be done to a unit whose program ends as soon as it runs. */
enum deed {
	DEED_UP,
	DEED_DOWN,
	DEED_RENEW,
	DEED_DIES,
	DEED_FAILS_TO_SPAWN,
	DEED_RESTART, /* by a person, or a script that is one's */
	DEED_EDIT,    /* another definition takes its place */
	DEED_SOME_TIME,
	DEED_COUNT
};

static void restart(struct bm_unit *unit)
{
	if (bm_unit_ask(unit) == 0) {
		bm_unit_restart(unit, "asked by uid 0");
	}
}

static struct bm_unit *edit(struct bm_unit *unit, struct fake_host *host)
{
	struct bm_unit *next = create(host);

	bm_unit_succeed(next, unit);
	bm_unit_destroy(unit);
	return next;
}

static void do_deed(struct bm_unit **place, struct fake_host *host, enum deed deed)
{
	struct bm_unit *unit = *place;
	uint64_t retry_at = bm_unit_view(unit).retry_at_msec;

	switch (deed) {
	case DEED_UP:
	case DEED_DOWN:
		bm_unit_want(unit, deed == DEED_UP);
		break;
	case DEED_RENEW:
		bm_unit_renew(unit, "the escalation");
		break;
	case DEED_RESTART:
		restart(unit);
		break;
	case DEED_EDIT:
		*place = edit(unit, host);
		break;
	case DEED_DIES:
		bm_unit_exited(unit, W_EXITCODE(1, 0), "", false);
		break;
	case DEED_FAILS_TO_SPAWN:
		bm_unit_handle(unit, BM_UNIT_SPAWN_FAILED);
		break;
	default:
		host->now_msec += 100;
		if (retry_at != 0 && retry_at <= host->now_msec) {
			bm_unit_handle(unit, BM_UNIT_TIMED_OUT);
		}
		break;
	}
}

static void test_no_sequence_of_wishes_starts_it_more_often_than_the_backoff_allows(
		void **state)
{
	int most = 0;

	(void)state;
	/* Each way of four deeds again and again, for a minute. */
	for (int way = 0; way < 4096 /* 8^4 */; way++) {
		struct fake_host host = {0};
		struct bm_unit *unit = create(&host);
		for (int round = 0; round < 3000 && host.now_msec < 60000; round++) {
			for (int rest = way, i = 0; i < 4; i++, rest /= DEED_COUNT) {
				do_deed(&unit, &host, (enum deed)(rest % DEED_COUNT));
			}
			host.now_msec += 10;
			do_deed(&unit, &host, DEED_SOME_TIME);
		}
		most = host.spawns > most ? host.spawns : most;
		bm_unit_destroy(unit);
	}
	/* At 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s, each a tenth earlier, and one more; and as
	 * often by a person, whose first word lets that begin anew. */
	assert_in_range(most, 6, 24);
}

/* So often within a minute when `every_msec` somebody does it. */
static int starts_when(enum deed deed, uint64_t every_msec)
{
	struct fake_host host = {0};
	struct bm_unit *unit = create(&host);

	bm_unit_want(unit, true);
	while (host.now_msec < 60000) {
		bm_unit_exited(unit, W_EXITCODE(1, 0), "", false);
		do_deed(&unit, &host, deed);
		bm_unit_want(unit, true);
		for (uint64_t spent = 0; spent < every_msec; spent += 100) {
			do_deed(&unit, &host, DEED_SOME_TIME);
		}
	}
	bm_unit_destroy(unit);
	return host.spawns;
}

static void test_a_script_that_restarts_or_edits_what_dies_at_once_starts_it_rarely(
		void **state)
{
	(void)state;
	assert_in_range(starts_when(DEED_RESTART, 100), 3, 12);
	assert_in_range(starts_when(DEED_EDIT, 100), 3, 12);
	assert_in_range(starts_when(DEED_RESTART, 5000), 3, 14);
	assert_in_range(starts_when(DEED_EDIT, 5000), 3, 14);
}

static void test_a_persons_first_restart_works_at_once_and_forgets_failures(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = AFTER(&host, BM_UNIT_WANT_UP);

	(void)state;
	for (int i = 0; i < 8; i++) {
		bm_unit_exited(unit, W_EXITCODE(1, 0), "", false);
		bm_unit_handle(unit, BM_UNIT_TIMED_OUT);
	}
	bm_unit_exited(unit, W_EXITCODE(1, 0), "", false);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_BACKOFF);
	restart(unit);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_STARTING);
	assert_int_equal(bm_unit_view(unit).failures, 0);
	/* Again at once is too soon, half a second later is not. */
	bm_unit_exited(unit, W_EXITCODE(1, 0), "", false);
	assert_in_range(bm_unit_ask(unit), 1, 600);
	host.now_msec += 600;
	assert_int_equal(bm_unit_ask(unit), 0);
	/* What was ready for a minute, or long ago, begins anew. */
	for (int i = 0; i < 6; i++) {
		host.now_msec += 30000;
		assert_int_equal(bm_unit_ask(unit), 0);
	}
	bm_unit_handle(unit, BM_UNIT_TIMED_OUT);
	bm_unit_handle(unit, BM_UNIT_BECAME_READY);
	assert_in_range(bm_unit_ask(unit), 20000, 30000);
	host.now_msec += policy.stable_after_msec;
	assert_int_equal(bm_unit_ask(unit), 0);
	bm_unit_destroy(unit);
}

static void test_an_edited_definition_starts_at_once_the_first_time_and_then_waits(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = edit(AFTER(&host, BM_UNIT_WANT_UP), &host);

	(void)state;
	bm_unit_want(unit, true);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_STARTING);
	unit = edit(unit, &host);
	bm_unit_want(unit, true);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_BACKOFF);
	assert_int_equal(host.spawns, 2);
	assert_in_range(bm_unit_view(unit).retry_at_msec, 400, 600);
	bm_unit_destroy(unit);
}

static void test_renewals_wait_from_the_second_on_and_are_told(void **state)
{
	struct fake_host host = {0};
	struct bm_unit *unit = AFTER(&host, BM_UNIT_WANT_UP, BM_UNIT_BECAME_READY);

	(void)state;
	bm_unit_renew(unit, "it answers no ping");
	bm_unit_exited(unit, 0, "", false);
	bm_unit_want(unit, true);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_STARTING);
	bm_unit_handle(unit, BM_UNIT_BECAME_READY);
	bm_unit_renew(unit, "it answers no ping");
	bm_unit_exited(unit, 0, "", false);
	bm_unit_want(unit, true);
	assert_int_equal(bm_unit_state(unit), BM_UNIT_BACKOFF);
	assert_int_equal(bm_unit_view(unit).renewals, 2);
	bm_unit_handle(unit, BM_UNIT_TIMED_OUT);
	bm_unit_handle(unit, BM_UNIT_BECAME_READY);
	host.now_msec += policy.stable_after_msec;
	assert_int_equal(bm_unit_view(unit).renewals, 0);
	bm_unit_destroy(unit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_no_sequence_of_wishes_starts_it_more_often_than_the_backoff_allows),
			cmocka_unit_test(
					test_a_script_that_restarts_or_edits_what_dies_at_once_starts_it_rarely),
			cmocka_unit_test(
					test_a_persons_first_restart_works_at_once_and_forgets_failures),
			cmocka_unit_test(
					test_an_edited_definition_starts_at_once_the_first_time_and_then_waits),
			cmocka_unit_test(test_renewals_wait_from_the_second_on_and_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
