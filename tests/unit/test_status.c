/* The status: its JSON (a public interface) and its screen, as golden texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "client/terminal/render.h"
#include "client/terminal/table.h"
#include "client/terminal/text.h"
#include "daemon/status/json.h"
#include "unit_status.h"

/* The screen of a status, by way of its JSON, as in real life. */
static char *screen(const struct bm_status *status, bool colour)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	char *text = bm_status_json_at(status, WALL_MSEC);
	json_t *root = json_loads(text, 0, NULL);

	assert_non_null(root);
	const struct cli_view view = {.colour = colour};

	cli_render_status(root, &view, &out);
	json_decref(root);
	free(text);
	return bm_strbuf_detach(&out);
}

static void assert_screen(const struct bm_status *status, const char *golden)
{
	char *text = screen(status, false);

	assert_string_equal(text, golden);
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
		assert_true(strcspn(line, "\n") <= CLI_COLUMNS);
	}
	free(text);
}

#include "golden_status.h"

static void test_the_json_has_every_documented_member(void **state)
{
	struct bm_sync_view sync = healthy_sync();
	struct bm_status status = machine_of(BM_MACHINE_READY, 1, &sync);
	char *text = bm_status_json_at(&status, WALL_MSEC);

	(void)state;
	assert_string_equal(text, GOLDEN_JSON);
	free(text);
}

static void test_texts_in_any_encoding_come_out(void **state)
{
	struct bm_sync_view sync = healthy_sync();
	struct bm_status status = machine_of(BM_MACHINE_READY, 1, &sync);

	(void)state;
	sync.bad_text = "Verbindung verweigert \xfc";
	char *text = bm_status_json_at(&status, WALL_MSEC);
	assert_non_null(strstr(text, "\"Verbindung verweigert ?\""));
	free(text);
}

static void test_lines_become_an_array(void **state)
{
	struct bm_status status = machine_of(BM_MACHINE_READY, 0, NULL);

	(void)state;
	status.config_errors = "one\n\ntwo";
	char *text = bm_status_json_at(&status, WALL_MSEC);
	assert_non_null(strstr(text, "\"errors\":[\"one\",\"two\"]"));
	free(text);
}

static void test_the_screen_when_all_is_well(void **state)
{
	struct bm_sync_view sync = healthy_sync();
	struct bm_status status = machine_of(BM_MACHINE_READY, 1, &sync);

	(void)state;
	assert_screen(&status, GOLDEN_WELL);
}

static void test_the_screen_of_a_machine_without_a_sync(void **state)
{
	struct bm_status status = machine_of(BM_MACHINE_READY, 0, NULL);

	(void)state;
	status.database_count = 0;
	status.found = "nothing, a new volume";
	assert_screen(&status, GOLDEN_EMPTY);
}

static void test_the_screen_when_a_database_is_away(void **state)
{
	struct bm_sync_view sync = healthy_sync();
	struct bm_status_database away[] = {databases[0], databases[1]};
	struct bm_status status = machine_of(BM_MACHINE_DEGRADED, 1, &sync);

	(void)state;
	away[1].reach = BM_REACH_NO;
	away[1].since_msec = AGO(61);
	away[1].error = "connection to server at \"10.0.0.2\", port 5432 failed: Connection refused";
	status.databases = away;
	status.why = "sync 'app' is unreachable: database 'dst' is unreachable";
	status.advice = "see that the server of 'dst' runs and can be reached from this pod; "
			"replication goes on by itself then";
	sync.health = BM_HEALTH_UNREACHABLE;
	sync.why = "database 'dst' is unreachable";
	sync.advice = status.advice;
	assert_screen(&status, GOLDEN_AWAY);
}

static void test_the_screen_names_who_blocks(void **state)
{
	struct bm_sync_view sync = healthy_sync();
	struct bm_status status = machine_of(BM_MACHINE_DEGRADED, 1, &sync);

	(void)state;
	status.why = "sync 'app' is blocked";
	sync.health = BM_HEALTH_BLOCKED;
	sync.why = "waits for a lock on the destination";
	sync.advice = "let that session finish, or end it with SELECT pg_terminate_backend(4711)";
	sync.blocker_pid = 4711;
	sync.blocker_db = "dst";
	sync.blocker_query = "LOCK TABLE public.rental\n\x1b[2J IN ACCESS EXCLUSIVE MODE";
	assert_screen(&status, GOLDEN_BLOCKED);
}

static void test_the_screen_of_a_failing_sync(void **state)
{
	struct bm_sync_view sync = healthy_sync();
	struct bm_status status = machine_of(BM_MACHINE_DEGRADED, 1, &sync);

	(void)state;
	status.why = "sync 'app' is failing";
	sync.health = BM_HEALTH_FAILING;
	sync.good_age_msec = -1;
	sync.bad_text = "Source and target database mismatch: column 'note' of table "
			"public.film is on the source only, and the target has no such column";
	sync.advice = "add the column to the destination";
	assert_screen(&status, GOLDEN_FAILING);
}

static void test_the_screen_of_a_machine_that_holds(void **state)
{
	struct bm_status status = machine_of(BM_MACHINE_HOLDING, 0, NULL);

	(void)state;
	status.unit_count = 0;
	status.database_count = 0;
	status.why = "the volume holds data of PostgreSQL 13, and this image has 17";
	status.advice = "use the image with PostgreSQL 13, or move the data away";
	status.found = "data of another PostgreSQL";
	status.config_state = "rejected";
	status.config_errors = "machine.yaml:3:5: supervision.give_up_afer: unknown key\n"
			       "machine.yaml:9:1: unit: unknown key; did you mean 'units'?\n";
	status.pgpass_warnings = "line 4 has 3 fields, 5 are needed\n";
	assert_screen(&status, GOLDEN_HOLDING);
}

static void test_the_screen_of_a_volume_that_cannot_be_looked_into(void **state)
{
	struct bm_status status = machine_of(BM_MACHINE_HOLDING, 0, NULL);

	(void)state;
	status.unit_count = 0;
	status.database_count = 0;
	status.why = "'/var/lib/bucardo-machine' belongs to uid 0";
	status.advice = "give it to the machine's user";
	status.found = "";
	assert_screen(&status, GOLDEN_CLOSED_VOLUME);
}

static void test_the_screen_says_who_stopped_a_unit(void **state)
{
	struct bm_sync_view sync = healthy_sync();
	struct bm_status_unit stopped[] = {units[0], units[1]};
	struct bm_status status = machine_of(BM_MACHINE_DEGRADED, 1, &sync);

	(void)state;
	stopped[0].view.state = BM_UNIT_BACKOFF;
	stopped[0].view.failures = 3;
	stopped[0].view.retry_at_msec = NOW_MSEC + 4000;
	stopped[0].view.why = "died";
	stopped[0].view.last_exit = "exit code 1";
	stopped[0].pid = 0;
	stopped[1].view.state = BM_UNIT_DOWN;
	stopped[1].view.wanted = false;
	stopped[1].view.why = "no longer wanted";
	stopped[1].pid = 0;
	stopped[1].stopped_by = "service stop (uid 0)";
	stopped[1].stopped_at = WALL_MSEC - 60000;
	status.units = stopped;
	sync.health = BM_HEALTH_STOPPED;
	sync.backlog_rows = -1;
	sync.lag_msec = -1;
	assert_screen(&status, GOLDEN_STOPPED);
}

static void test_colours_come_only_when_asked_for(void **state)
{
	struct bm_sync_view sync = healthy_sync();
	struct bm_status status = machine_of(BM_MACHINE_READY, 1, &sync);
	char *plain = screen(&status, false), *coloured = screen(&status, true);

	(void)state;
	assert_null(strchr(plain, '\033'));
	assert_non_null(strstr(coloured, "\033[32mready\033[0m"));
	free(plain);
	free(coloured);
}

static void test_a_migration_shows_what_is_in_flight_and_where_its_lag_goes(void **state)
{
	(void)state;
	static const struct bm_phase_view phases[BM_PHASE_COUNT];
	struct bm_sync_view sync = healthy_sync();
	struct bm_status status = machine_of(BM_MACHINE_READY, 1, &sync);
	json_t *parts = json_loads("[{\"name\":\"public.film\",\"step\":\"\",\"done\":512,"
				   "\"total\":1024,\"age_ms\":900}]",
			0, NULL);
	const struct bm_migration_view migration = {.name = "app",
			.phase = BM_PHASE_COPY,
			.until = BM_PHASE_REPLICATE,
			.status = BM_MIGRATION_RUNNING,
			.why = "",
			.hint = "",
			.since_msec = AGO(65),
			.pid = 99,
			.done = 2048,
			.total = 4096,
			.unit = "bytes",
			.text = "copying rows",
			.rate = 1024,
			.eta_msec = 2000,
			.rows = 1234,
			.pieces_done = 2,
			.pieces_total = 5,
			.in_flight = parts,
			.released = true,
			.verify = {.why = "", .evidence = ""},
			.doctor = {.why = "", .evidence = ""},
			.reconcile = {.evidence = "", .why = ""},
			.phases = phases};

	sync.name = "app_sync";
	status.migration_count = 1;
	status.migrations = &migration;
	assert_screen(&status, GOLDEN_MIGRATION);
	json_decref(parts);
}

static void test_what_reconciling_found_is_shown_with_the_hint(void **state)
{
	(void)state;
	static const struct bm_phase_view phases[BM_PHASE_COUNT];
	struct bm_sync_view sync = healthy_sync();
	struct bm_status status = machine_of(BM_MACHINE_READY, 1, &sync);
	const struct bm_migration_view migration = {.name = "app",
			.phase = BM_PHASE_REPLICATE,
			.until = BM_PHASE_REPLICATE,
			.status = BM_MIGRATION_DONE,
			.why = "",
			.hint = "",
			.since_msec = AGO(65),
			.unit = "rows",
			.text = "",
			.released = true,
			.verify = {.why = "", .evidence = ""},
			.doctor = {.why = "", .evidence = ""},
			.reconcile = {.pid = 77,
					.why = "",
					.reported_msec = AGO(4),
					.evidence = "{\"sequences\":{\"transferred\":12,\"lifted\":true},"
						    "\"live\":{\"side\":\"destination\",\"fence\":"
						    "true,\"not_applied\":[{\"what\":\"public.k\","
						    "\"why\":\"no key\"}]},"
						    "\"tables\":21,\"drift\":[{\"table\":\"public.t\","
						    "\"difference\":\"it differs\",\"hint\":\"fix "
						    "it\"}],\"paused\":[{\"table\":\"public.t\","
						    "\"rows\":1234}],\"new\":[{\"table\":\"public.n\","
						    "\"why\":\"it is new\",\"hint\":\"make it\"}]}"},
			.phases = phases};

	status.migration_count = 1;
	status.migrations = &migration;
	char *text = bm_status_json_at(&status, WALL_MSEC);
	json_t *json = json_loads(text, 0, NULL);
	struct bm_strbuf screen = BM_STRBUF_INIT;
	cli_render_migrations(json_object_get(json, "migrations"), false, false, &screen);
	static const char *const lines[] = {
			"checked: 12 sequences transferred (the fence is lifted), 21 tables compared, 4 s ago",
			"live side: the destination: its fence is lifted",
			"not applied: public.k: no key",
			"differs: public.t: it differs; fix it",
			"paused: public.t, with 1,234 changes that wait",
			"not migrated: public.n: it is new; make it",
	};
	for (size_t i = 0; i < BM_COUNT_OF(lines); i++) {
		if (strstr(bm_strbuf_text(&screen), lines[i]) == NULL) {
			fail_msg("'%s' is not in:\n%s", lines[i], bm_strbuf_text(&screen));
		}
	}
	bm_strbuf_finish(&screen);
	json_decref(json);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_the_json_has_every_documented_member),
			cmocka_unit_test(test_texts_in_any_encoding_come_out),
			cmocka_unit_test(test_lines_become_an_array),
			cmocka_unit_test(test_the_screen_when_all_is_well),
			cmocka_unit_test(test_the_screen_of_a_machine_without_a_sync),
			cmocka_unit_test(test_the_screen_when_a_database_is_away),
			cmocka_unit_test(test_the_screen_names_who_blocks),
			cmocka_unit_test(test_the_screen_of_a_failing_sync),
			cmocka_unit_test(test_the_screen_of_a_machine_that_holds),
			cmocka_unit_test(
					test_the_screen_of_a_volume_that_cannot_be_looked_into),
			cmocka_unit_test(test_the_screen_says_who_stopped_a_unit),
			cmocka_unit_test(test_colours_come_only_when_asked_for),
			cmocka_unit_test(
					test_a_migration_shows_what_is_in_flight_and_where_its_lag_goes),
			cmocka_unit_test(test_what_reconciling_found_is_shown_with_the_hint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
