/* Small decisions of the machine that stand on their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "machine/internal.h"

static void test_a_ladder_is_at_its_end_only_while_the_sync_is_stalled(void **state)
{
	(void)state;
	struct bm_sync_view sync = {.health = BM_HEALTH_STALLED, .rung = BM_RUNG_RESTART_TREE};

	assert_false(bm_judge_is_at_ladder_end(&sync));
	sync.rung = BM_RUNG_HOLD;
	assert_true(bm_judge_is_at_ladder_end(&sync));
	sync.health = BM_HEALTH_CATCHING_UP;
	assert_false(bm_judge_is_at_ladder_end(&sync));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_a_ladder_is_at_its_end_only_while_the_sync_is_stalled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
