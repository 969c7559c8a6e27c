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
	DEED_SOME_TIME,
	DEED_COUNT
};

static void do_deed(struct bm_unit *unit, struct fake_host *host, enum deed deed)
{
	uint64_t retry_at = bm_unit_view(unit).retry_at_msec;

	switch (deed) {
	case DEED_UP:
	case DEED_DOWN:
		bm_unit_want(unit, deed == DEED_UP);
		break;
	case DEED_RENEW:
		bm_unit_renew(unit, "the escalation");
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
	for (int way = 0; way < 1296 /* 6^4 */; way++) {
		struct fake_host host = {0};
		struct bm_unit *unit = create(&host);
		for (int round = 0; round < 3000 && host.now_msec < 60000; round++) {
			for (int rest = way, i = 0; i < 4; i++, rest /= DEED_COUNT) {
				do_deed(unit, &host, (enum deed)(rest % DEED_COUNT));
			}
			host.now_msec += 10;
			do_deed(unit, &host, DEED_SOME_TIME);
		}
		most = host.spawns > most ? host.spawns : most;
		bm_unit_destroy(unit);
	}
	/* At 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s, each a tenth earlier, and one more. */
	assert_in_range(most, 6, 8);
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
			cmocka_unit_test(test_renewals_wait_from_the_second_on_and_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
