/* The JSON of a status: the words and percentages of a migration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit_status.h"

/* The records of a migration end before the phases that only have a place. */
static void test_a_phase_without_a_record_has_no_percentage_of_one(void **state)
{
	struct bm_phase_view *phases = calloc(BM_PHASE_COUNT, sizeof(*phases));
	struct bm_sync_view sync = healthy_sync();
	struct bm_status status = machine_of(BM_MACHINE_READY, 1, &sync);
	struct bm_migration_view migration = {.name = "app",
			.until = BM_PHASE_REPLICATE,
			.status = BM_MIGRATION_RUNNING,
			.why = "",
			.hint = "",
			.unit = "objects",
			.text = "",
			.total = 4,
			.done = 1,
			.verify = {.why = "", .evidence = ""},
			.doctor = {.why = "", .evidence = ""},
			.reconcile = {.why = "", .evidence = ""},
			.phases = phases};

	(void)state;
	for (enum bm_phase phase = 0; phase < BM_PHASE_COUNT; phase++) {
		phases[phase] = (struct bm_phase_view){.state = BM_RECORD_DONE, .evidence = ""};
	}
	status.migration_count = 1;
	status.migrations = &migration;
	for (enum bm_phase phase = BM_PHASE_COUNT; phase < BM_PHASE_PLACES; phase++) {
		migration.phase = phase;
		char *text = bm_status_json_at(&status, WALL_MSEC);
		assert_non_null(strstr(text, "\"percent\":25"));
		free(text);
	}
	free(phases);
}

static void test_a_migration_is_live_and_its_databases_have_parts(void **state)
{
	(void)state;
	struct bm_phase_view phases[BM_PHASE_COUNT] = {
			[BM_PHASE_REPLICATE] = {.state = BM_RECORD_DONE, .evidence = ""}};
	struct bm_sync_view sync = healthy_sync();
	struct bm_status_unit two[] = {units[0], units[1]};
	struct bm_status status = machine_of(BM_MACHINE_READY, 1, &sync);
	static const struct bm_status_database ends[] = {
			{"app_source", "source", "", BM_REACH_YES, AGO(7000)},
			{"app_destination", "source", "", BM_REACH_YES, AGO(7000)}};
	struct bm_migration_view migration = {.name = "app",
			.phase = BM_PHASE_REPLICATE,
			.until = BM_PHASE_REPLICATE,
			.status = BM_MIGRATION_DONE,
			.why = "",
			.hint = "",
			.unit = "rows",
			.text = "",
			.released = true,
			.verify = {.why = "", .evidence = ""},
			.doctor = {.why = "", .evidence = ""},
			.reconcile = {.why = "", .evidence = ""},
			.phases = phases};

	for (size_t i = 0; i < BM_PHASE_COUNT; i++) {
		phases[i].evidence = "";
	}
	status.units = two;
	status.databases = ends;
	status.migration_count = 1;
	status.migrations = &migration;
	char *text = bm_status_json_at(&status, WALL_MSEC);
	assert_non_null(strstr(text, "\"live\":true"));
	assert_non_null(strstr(text, "\"status\":\"live\""));
	assert_non_null(strstr(text, "\"part\":\"source\""));
	assert_non_null(strstr(text, "\"part\":\"destination\""));
	free(text);
	two[1].view.state = BM_UNIT_BACKOFF;
	migration.reconcile.evidence = "{\"live\":{\"side\":\"destination\",\"fence\":true}}";
	text = bm_status_json_at(&status, WALL_MSEC);
	assert_non_null(strstr(text, "\"live\":false"));
	assert_non_null(strstr(text, "\"status\":\"halted\""));
	assert_non_null(strstr(text, "\"part\":\"live\""));
	free(text);
	two[1].view.state = BM_UNIT_READY;
	struct bm_sync_view unserved = {.name = "app_sync",
			.health = BM_HEALTH_STARTING,
			.why = "",
			.advice = "",
			.bad_text = "",
			.blocker_query = "",
			.blocker_db = ""};
	status.syncs = &unserved;
	status.sync_count = 1;
	text = bm_status_json_at(&status, WALL_MSEC);
	assert_non_null(strstr(text, "\"live\":false"));
	assert_non_null(strstr(text, "\"status\":\"starting\""));
	free(text);
	unserved.health = BM_HEALTH_UNREACHABLE;
	text = bm_status_json_at(&status, WALL_MSEC);
	assert_non_null(strstr(text, "\"live\":false"));
	assert_non_null(strstr(text, "\"status\":\"halted\""));
	free(text);
	status.sync_count = 0;
	phases[BM_PHASE_REPLICATE].state = BM_RECORD_PENDING; /* as far as it shall go */
	text = bm_status_json_at(&status, WALL_MSEC);
	assert_non_null(strstr(text, "\"live\":false"));
	assert_non_null(strstr(text, "\"status\":\"done\""));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_a_phase_without_a_record_has_no_percentage_of_one),
			cmocka_unit_test(test_a_migration_is_live_and_its_databases_have_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
