/* Every screen fits: 80 and 60 columns, 24 rows, one migration or forty, long names, long
 * errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

static const size_t counts[] = {1, 6, 12, 40}, widths[] = {80, 60};

#define LONG_TABLE "warehouse_reporting.monthly_use_by_customer_v2"
#define LONG_ERROR                                                                             \
	"connection to server at \"database-primary.region-one.example.com\" (10.20.30.40), "  \
	"port 5432 failed: FATAL:  password authentication failed for user \"replicator\""

static json_t *load(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);

	if (json == NULL) {
		fail_msg("%s at %d: %s", error.text, error.position, text);
	}
	return json;
}

static const char healthy[] =
		"{\"phase\":\"replicate\",\"status\":\"live\",\"live\":true,\"until\":\"replicate\","
		"\"age_msec\":360000,\"released\":true,\"why\":\"\",\"hint\":\"\",\"reconcile\":null,"
		"\"not_in_step\":[],\"findings\":[],\"replication\":{\"backlog_rows\":0,"
		"\"lag_msec\":0,\"trend\":\"steady\",\"shrink_rate\":0},\"progress\":{\"unit\":"
		"\"rows\",\"text\":\"\",\"done\":0,\"percent\":100,\"in_flight\":[]},\"phases\":"
		"[{\"phase\":\"replicate\",\"state\":\"done\"}]}";

static const char failed[] =
		"{\"phase\":\"copy\",\"status\":\"failed\",\"live\":false,\"attempt\":4,\"class\":"
		"\"operator\",\"retry_in_msec\":29000,\"hint\":\"correct the line of pgpass\"}";

static const char copying[] =
		"{\"phase\":\"copy\",\"status\":\"running\",\"live\":false,\"progress\":{\"unit\":"
		"\"bytes\",\"text\":\"copying rows\",\"done\":1234567890,\"total\":98765432100,"
		"\"percent\":1,\"rate\":52428800,\"eta_msec\":1860000,\"rows\":12345678,"
		"\"pieces_done\":12,\"pieces_total\":1234,\"in_flight\":[{\"name\":\"" LONG_TABLE
		"\",\"step\":\"\",\"done\":123456789,\"total\":987654321,\"percent\":12,"
		"\"age_msec\":4000}]}}";

static const char apart[] =
		"{\"not_in_step\":[{\"kind\":\"keyless\",\"name\":\"" LONG_TABLE "\",\"why\":"
		"\"it has no key\",\"source\":23491,\"source_about\":false,\"destination\":1943,"
		"\"destination_about\":true,\"age_msec\":240000},{\"kind\":\"keyless\",\"name\":"
		"\"public.calm\",\"why\":\"it has no key\",\"source\":1,\"source_about\":false,"
		"\"destination\":1,\"destination_about\":false,\"age_msec\":240000}]}";

/* What a person needs on the worst night: all of it at once. */
static const char ill[] =
		"{\"doctor\":["
		"{\"rule\":\"long-transaction\",\"severity\":\"note\",\"side\":\"source\",\"cause\":\"a "
		"transaction is open\",\"hint\":\"SELECT 1\"},"
		"{\"rule\":\"unique\",\"severity\":\"degrades\",\"side\":\"machine\",\"cause\":\"a run of "
		"customer_accounts_region_000000_sync fails on a unique key other than the primary: "
		"duplicate key value violates unique constraint of " LONG_TABLE
		"\",\"hint\":\"\"},"
		"{\"rule\":\"blocker\",\"severity\":\"stops\",\"side\":\"destination\",\"cause\":"
		"\"bucardo KID (PID 812) waits for 1 min 20 s for " LONG_TABLE
		": process 4711 holds it "
		"(role shop, application billing, idle in transaction since 2026-11-29 02:11:59 UTC: "
		"UPDATE something SET a = 1 WHERE id = 7)\",\"hint\":\"let it end, or run on the "
		"destination: SELECT pg_terminate_backend(4711)\"},"
		"{\"rule\":\"clock\",\"severity\":\"degrades\",\"side\":\"source\",\"cause\":\"the clock is "
		"40 s ahead\",\"hint\":\"\"},"
		"{\"rule\":\"deltas\",\"severity\":\"degrades\",\"side\":\"source\",\"cause\":\"changes "
		"wait\",\"hint\":\"\"}],"
		"\"reconcile\":{\"stopped\":{\"why\":\"connection to server at database-primary.region-one.example.com, port 5432 failed: FATAL: password authentication failed for user replicator, and once more\",\"hint\":\"\"}},"
		"\"verify\":{\"trouble\":\"connection to server at database-primary.region-one.example.com, port 5432 failed: FATAL: password authentication failed for user replicator, and once more\"},\"why\":\"connection to server at database-primary.region-one.example.com, port 5432 failed: FATAL: password authentication failed for user replicator, and once more\"}";

static const char changing[] =
		"{\"phase\":\"cutover\",\"status\":\"running\",\"live\":false,\"released\":false,"
		"\"progress\":{\"unit\":\"rows\",\"text\":\"drain: 12 rows wait\",\"done\":0,"
		"\"in_flight\":[]},\"replication\":{\"backlog_rows\":12,\"lag_msec\":0},"
		"\"cutover\":{\"direction\":\"cutover\",\"mode\":\"rehearse\",\"under_way\":true,"
		"\"by\":\"uid 0\",\"asked_at\":\"2026-11-29T06:54:05Z\",\"error\":\"\"}}";

/* One that failed, one that copies, one with something not in step; the others are live. */
static json_t *make_migration(size_t number)
{
	json_t *migration = load(healthy);
	json_t *change = load(number == 2	      ? failed
					: number == 1 ? copying
					: number == 0 ? apart
						      : "{}");
	char name[64];

	json_object_update(migration, change);
	json_decref(change);
	if (number == 2) {
		json_object_set_new(migration, "why", json_string(LONG_ERROR));
	}
	snprintf(name, sizeof(name), "customer_accounts_region_%06zu", number);
	json_object_set_new(migration, "name", json_string(name));
	return migration;
}

static void add_named(json_t *list, const char *name, const char *suffix, const char *text)
{
	json_t *one = load(text);
	char whole[96];

	snprintf(whole, sizeof(whole), "%s_%s", name, suffix);
	json_object_set_new(one, "name", json_string(whole));
	json_array_append_new(list, one);
}

static json_t *make_status(size_t count)
{
	json_t *status = load(
			"{\"version\":\"0.1.0\",\"pid\":1,\"state\":\"degraded\","
			"\"age_msec\":86300000,\"uptime_msec\":1000000000,"
			"\"volume\":\"/var/lib/bucardo-machine\",\"found\":\"syncs, replication on\","
			"\"why\":\"migration 'a' is stuck in copy: it waits\",\"advice\":\"\","
			"\"config\":{\"path\":\"/var/lib/bucardo-machine/machine.yaml\","
			"\"state\":\"loaded\",\"errors\":[]},\"pgpass\":{\"warnings\":[]},"
			"\"units\":[{\"name\":\"postgres\",\"kind\":\"postgres\",\"state\":"
			"\"ready\",\"pid\":20,\"age_msec\":100,\"restarts\":0,\"last_exit\":\"\"},"
			"{\"name\":\"bucardo\",\"kind\":\"bucardo\",\"state\":\"backoff\","
			"\"age_msec\":100,\"restarts\":12,\"failures\":3,\"retry_in_msec\":4000,"
			"\"last_exit\":\"exit code 255\",\"why\":\"died\"}]}");
	json_t *migrations = json_array(), *syncs = json_array(), *databases = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *migration = make_migration(i);
		const char *name = cli_text_of(migration, "name");
		add_named(syncs, name, "sync",
				"{\"health\":\"idle\",\"age_msec\":5000,\"why\":\"\",\"advice\":\"\","
				"\"backlog_rows\":0,\"lag_msec\":0,\"good_age_msec\":3000}");
		add_named(databases, name, "source",
				"{\"part\":\"source\",\"reach\":\"yes\",\"age_msec\":9000,"
				"\"error\":\"\"}");
		add_named(databases, name, "destination",
				"{\"part\":\"destination\",\"reach\":\"yes\",\"age_msec\":9000,"
				"\"error\":\"\"}");
		json_array_append_new(migrations, migration);
	}
	json_object_set_new(status, "migrations", migrations);
	json_object_set_new(status, "syncs", syncs);
	json_object_set_new(status, "databases", databases);
	return status;
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (; *text != '\0'; text++) {
		lines += *text == '\n';
	}
	return lines;
}

/* No line is wider, and no name of ours stands there in part. */
static void assert_whole(const char *text, size_t columns)
{
	static const char *const names[] = {"customer_accounts_region_", "warehouse_reporting"};

	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
		if (strcspn(line, "\n") > columns) {
			fail_msg("wider than %zu: %.*s\nin:\n%s", columns,
					(int)strcspn(line, "\n"), line, text);
		}
	}
	for (const char *at = text; (at = strstr(at, names[0])) != NULL; at++) {
		assert_int_equal(strspn(at + strlen(names[0]), "0123456789"), 6);
	}
	for (const char *at = text; (at = strstr(at, names[1])) != NULL; at++) {
		if (strncmp(at, LONG_TABLE, strlen(LONG_TABLE)) != 0) {
			fail_msg("a name is cut in:\n%s", text);
		}
	}
	assert_null(strchr(text, '~'));
}

static char *draw(const json_t *status, size_t columns, const struct cli_view *view)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	cli_text_set_columns(columns);
	cli_render_status(status, view, &out);
	cli_text_set_columns(0);
	return bm_strbuf_detach(&out);
}

static void assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL) {
		fail_msg("'%s' is not in:\n%s", part, text);
	}
}

static void test_watching_shows_what_is_wrong_on_24_rows(void **state)
{
	const struct cli_view view = {.rows = 24, .is_fixed = true};

	(void)state;
	for (size_t c = 0; c < BM_COUNT_OF(counts); c++) {
		for (size_t w = 0; w < BM_COUNT_OF(widths); w++) {
			json_t *status = make_status(counts[c]);
			char *text = draw(status, widths[w], &view);
			assert_whole(text, widths[w]);
			if (count_lines(text) > 24) {
				fail_msg("%zu lines:\n%s", count_lines(text), text);
			}
			assert_has(text, "The machine has been degraded");
			assert_has(text, "NOT in step");
			if (counts[c] > 2) {
				assert_has(text, "copy failed");
			}
			if (counts[c] == 40) {
				assert_has(text, "40 migrations: 38 live, 1 running, 1 failed");
				assert_has(text, " more, none of them worse");
			}
			free(text);
			json_decref(status);
		}
	}
}

static void test_a_status_that_scrolls_says_what_is_wrong_at_its_end_too(void **state)
{
	const struct cli_view view = {.rows = 23};

	(void)state;
	for (size_t c = 0; c < BM_COUNT_OF(counts); c++) {
		for (size_t w = 0; w < BM_COUNT_OF(widths); w++) {
			json_t *status = make_status(counts[c]);
			char *text = draw(status, widths[w], &view);
			assert_whole(text, widths[w]);
			/* One compact line for each of many. */
			for (size_t i = 0; i < counts[c]; i++) {
				char name[64];
				snprintf(name, sizeof(name), "customer_accounts_region_%06zu",
						i);
				assert_has(text, name);
			}
			const char *second = strstr(text + 1, "The machine has been");
			assert_int_equal(count_lines(text) > 23, second != NULL);
			free(text);
			json_decref(status);
		}
	}
}

static void test_all_of_it_is_shown_when_asked_for_and_nothing_is_cut(void **state)
{
	const struct cli_view view = {.detail = CLI_ALL, .rows = 23};

	(void)state;
	for (size_t c = 0; c < BM_COUNT_OF(counts); c++) {
		for (size_t w = 0; w < BM_COUNT_OF(widths); w++) {
			json_t *status = make_status(counts[c]);
			char *text = draw(status, widths[w], &view);
			assert_whole(text, widths[w]);
			assert_has(text, "volume   /var/lib/bucardo-machine");
			assert_has(text, "LAST EXIT");
			free(text);
			json_decref(status);
		}
	}
}

/* One with all that `ill` has, and what others have too. */
static json_t *make_ill_status(size_t count)
{
	json_t *status = make_status(count), *change = load(ill);

	json_object_update(json_array_get(json_object_get(status, "migrations"), 0), change);
	json_decref(change);
	return status;
}

static void test_findings_of_the_doctor_fit_on_24_rows_the_worst_first(void **state)
{
	const struct cli_view view = {.rows = 24, .is_fixed = true};

	(void)state;
	for (size_t c = 0; c < BM_COUNT_OF(counts); c++) {
		for (size_t w = 0; w < BM_COUNT_OF(widths); w++) {
			json_t *status = make_ill_status(counts[c]);
			char *text = draw(status, widths[w], &view);
			assert_whole(text, widths[w]);
			if (count_lines(text) > 24) {
				fail_msg("%zu lines:\n%s", count_lines(text), text);
			}
			assert_has(text, "stops, blocker on the");
			assert_has(text, "customer_accounts_region_000000");
			assert_has(text, "NOT in step");
			assert_has(text, "`bucardo-machine doctor`");
			assert_null(strstr(text, "pg_terminate_backend"));
			if (counts[c] == 40) {
				assert_has(text, "(and 3 more) stops, blocker");
			}
			free(text);
			json_decref(status);
		}
	}
}

static void test_a_whole_row_has_three_findings_and_names_the_command(void **state)
{
	const struct cli_view view = {.detail = CLI_ALL};
	json_t *status = make_ill_status(1);

	(void)state;
	for (size_t w = 0; w < BM_COUNT_OF(widths); w++) {
		char *text = draw(status, widths[w], &view);
		assert_whole(text, widths[w]);
		free(text);
	}
	char *text = draw(status, 160, &view);
	const char *blocker = strstr(
			text, "doctor: stops, blocker on the destination: bucardo");
	const char *unique = strstr(text, "doctor: degrades, unique on the machine: a run of");
	assert_true(blocker != NULL && unique != NULL && blocker < unique);
	assert_has(text, "degrades, clock on the source: the clock is 40 s ahead");
	assert_null(strstr(text, "degrades, deltas"));
	assert_has(text,
			"doctor: 1 more, 1 note, evidence and what to do: `bucardo-machine doctor "
			"customer_accounts_region_000000`");
	free(text);
	json_decref(status);
}

static void test_a_note_alone_is_only_counted(void **state)
{
	const struct cli_view view = {.detail = CLI_ALL};
	json_t *status = make_status(1);
	json_t *migration = json_array_get(json_object_get(status, "migrations"), 0);

	(void)state;
	json_object_set_new(migration, "doctor",
			load("[{\"rule\":\"clock\",\"severity\":\"note\",\"side\":\"source\"}]"));
	char *text = draw(status, 160, &view);
	assert_has(text,
			"doctor: 1 note: `bucardo-machine doctor customer_accounts_region_000000`");
	free(text);
	json_decref(status);
}

static void test_an_attempt_under_way_says_what_it_is_and_one_not_done_why(void **state)
{
	const struct cli_view view = {.detail = CLI_ALL};
	json_t *status = make_status(1), *change = load(changing);
	json_t *migration = json_array_get(json_object_get(status, "migrations"), 0);

	(void)state;
	json_object_update(migration, change);
	char *text = draw(status, 160, &view);
	assert_has(text, "rehearsal running");
	assert_has(text,
			"cutover: a rehearsal is under way, asked for by uid 0 at 2026-11-29 06:54:05 UTC");
	assert_has(text, "captured: 12 changed rows wait: the attempt carries them");
	free(text);
	json_object_set_new(migration, "cutover",
			load("{\"direction\":\"cutover\",\"mode\":\"run\",\"under_way\":false,\"ended_at\":"
			     "\"2026-11-29T06:55:05Z\",\"error\":\"it waited too long\",\"hint\":\"again\"}"));
	text = draw(status, 160, &view);
	assert_has(text,
			"cutover: the last attempt was not done (2026-11-29 06:55:05 UTC): it waited "
			"too long; hint: again");
	free(text);
	json_decref(change);
	json_decref(status);
}

static void test_what_is_not_in_step_has_both_counts_and_their_age(void **state)
{
	const struct cli_view view = {.detail = CLI_ALL};
	json_t *status = make_status(1);
	char *text = draw(status, 160, &view);

	(void)state;
	assert_has(text,
			"NOT in step: " LONG_TABLE
			", 23,491 rows on the source, about 1,943 on the "
			"destination, counted 4 min ago");
	assert_has(text,
			"not kept in step: 1 table with as many rows on both sides: public.calm, "
			"counted 4 min ago");
	free(text);
	json_decref(status);
}

static void test_a_long_name_stands_above_its_bar(void **state)
{
	const struct cli_view view = {.detail = CLI_ALL};
	json_t *status = make_status(2);

	(void)state;
	for (size_t w = 0; w < BM_COUNT_OF(widths); w++) {
		char *text = draw(status, widths[w], &view);
		assert_has(text, LONG_TABLE "\n");
		assert_has(text, "117.7 MB of 941.9 MB");
		free(text);
	}
	json_decref(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_watching_shows_what_is_wrong_on_24_rows),
			cmocka_unit_test(
					test_a_status_that_scrolls_says_what_is_wrong_at_its_end_too),
			cmocka_unit_test(
					test_all_of_it_is_shown_when_asked_for_and_nothing_is_cut),
			cmocka_unit_test(
					test_findings_of_the_doctor_fit_on_24_rows_the_worst_first),
			cmocka_unit_test(
					test_a_whole_row_has_three_findings_and_names_the_command),
			cmocka_unit_test(test_a_note_alone_is_only_counted),
			cmocka_unit_test(
					test_an_attempt_under_way_says_what_it_is_and_one_not_done_why),
			cmocka_unit_test(
					test_what_is_not_in_step_has_both_counts_and_their_age),
			cmocka_unit_test(test_a_long_name_stands_above_its_bar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
