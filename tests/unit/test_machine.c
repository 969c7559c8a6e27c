/* Small decisions of the machine that stand on their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/machine/internal.h"

static void test_an_escalation_is_at_its_end_only_while_the_sync_is_stalled(void **state)
{
	(void)state;
	struct bm_sync_view sync = {
			.health = BM_HEALTH_STALLED, .step = BM_ESCALATION_RESTART_TREE};

	assert_false(bm_evaluate_is_at_last_step(&sync));
	sync.step = BM_ESCALATION_HOLD;
	assert_true(bm_evaluate_is_at_last_step(&sync));
	sync.health = BM_HEALTH_CATCHING_UP;
	assert_false(bm_evaluate_is_at_last_step(&sync));
}

static void insert(struct bm_events *events, uint64_t id)
{
	bm_events_insert(events,
			&(struct bm_machine_event){.id = id, .subject = "s", .text = "old"},
			true);
}

static void test_events_of_an_earlier_life_come_before_those_of_this_one(void **state)
{
	struct bm_events *events = bm_events_create();
	struct bm_machine_event event;

	(void)state;
	bm_events_record(events, BM_LOG_INFO, "s", "new");
	assert_true(bm_events_after(events, 0, &event));
	assert_false(bm_events_after(events, 5, &event)); /* 6 may still be read */
	bm_events_raise(events, 7);
	insert(events, 5);
	insert(events, 7);
	insert(events, 7);
	bm_events_complete(events);
	assert_true(bm_events_after(events, 5, &event));
	assert_int_equal(event.id, 7);
	assert_true(bm_events_after(events, 7, &event));
	assert_string_equal(event.text, "new");
	assert_true(bm_events_next_unstored(events, 0, &event));
	assert_string_equal(event.text, "new");
	bm_events_set_stored(events, event.id);
	assert_false(bm_events_next_unstored(events, 0, &event));
	bm_events_destroy(events);
}

static void test_events_get_ids_above_those_of_an_earlier_life(void **state)
{
	struct bm_events *events = bm_events_create();
	struct bm_machine_event event;
	uint64_t future = (uint64_t)1 << 50;

	(void)state;
	bm_events_record(events, BM_LOG_INFO, "s", "one");
	bm_events_raise(events, future);
	insert(events, future);
	bm_events_record(events, BM_LOG_INFO, "s", "two");
	bm_events_complete(events);
	assert_true(bm_events_after(events, future, &event));
	assert_string_equal(event.text, "one");
	assert_true(bm_events_after(events, event.id, &event));
	assert_string_equal(event.text, "two");
	bm_events_destroy(events);
}

static void test_the_newest_events_are_kept(void **state)
{
	struct bm_events *events = bm_events_create();
	struct bm_machine_event event = {.id = 0};
	int count = 0;

	(void)state;
	for (int i = 0; i < 3 * BM_EVENTS_KEPT; i++) {
		bm_events_record(events, BM_LOG_INFO, "s", "%d", i);
	}
	while (bm_events_after(events, event.id, &event)) {
		count++;
	}
	assert_in_range(count, BM_EVENTS_KEPT, 2 * BM_EVENTS_KEPT);
	bm_events_destroy(events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_events_of_an_earlier_life_come_before_those_of_this_one),
			cmocka_unit_test(test_events_get_ids_above_those_of_an_earlier_life),
			cmocka_unit_test(test_the_newest_events_are_kept),
			cmocka_unit_test(
					test_an_escalation_is_at_its_end_only_while_the_sync_is_stalled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
