/* Metrics from a status: formats, labels, what is told while the daemon is silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "client/http/http_metrics.h"

static const char text[] =
		"{\"version\":\"1\",\"state\":\"ready\",\"ready\":true,\"orphans_reaped\":3,"
		"\"units\":[{\"name\":\"a\\\"b\\\\c\\nd\",\"kind\":\"extra\",\"state\":\"ready\"}],"
		"\"syncs\":[{\"name\":\"s\",\"health\":\"idle\",\"lag_msec\":1500,\"good_age_msec\":2000},"
		"{\"name\":\"unknown\",\"health\":\"unknown\",\"lag_msec\":null}],"
		"\"migrations\":[{\"name\":\"app\",\"phase\":null,\"status\":\"waiting\",\"cutover\":"
		"{\"number\":2,\"under_way\":false,\"direction\":\"cutover\",\"mode\":\"rehearse\","
		"\"state\":\"done\",\"result\":{\"freeze_msec\":250,\"conditions\":["
		"{\"name\":\"backlog\",\"state\":\"ready\"},{\"name\":\"locks\",\"state\":\"not_ready\"},"
		"{\"name\":\"keys\",\"state\":\"accepted\"},{\"name\":\"disk\",\"state\":\"unknown\"}]}}},"
		"{\"name\":\"other\",\"phase\":\"copy\",\"status\":\"running\",\"cutover\":null,"
		"\"progress\":{\"done\":5,\"total\":10,\"percent\":50,\"in_flight\":"
		"[{\"name\":\"public.t\",\"done\":1,\"total\":4}],\"pieces_done\":3,\"pieces_total\":8},"
		"\"reconcile\":{\"live\":{\"side\":\"destination\",\"fence\":true,\"source_fence\":true},"
		"\"paused\":[{\"table\":\"public.t\",\"rows\":7},{\"table\":\"public.u\",\"rows\":-1}],"
		"\"largest\":[{\"table\":\"public.\\\"a\\nb\\\\\\\"\",\"rows\":12,\"source_bytes\":8192,"
		"\"destination_bytes\":null,\"changes_bytes\":0}]},"
		"\"verify\":{\"percent\":50,\"ranges\":10,\"ranges_proven\":6,\"ranges_changed\":1,"
		"\"rows_missing\":2,\"rows_extra\":0,\"rows_changed\":1,"
		"\"oldest_proof\":\"2023-11-14T22:13:20.000Z\",\"differences\":"
		"[{\"table\":\"public.t\",\"missing\":2,\"extra\":0,\"changed\":1}]}}]}";

static const char attempts[] =
		"{\"attempts\":[{\"migration\":\"app\",\"direction\":\"cutover\",\"mode\":\"run\","
		"\"result\":\"aborted\",\"step\":\"lock\",\"count\":2}],\"freezes\":[{\"migration\":\"app\","
		"\"direction\":\"cutover\",\"count\":2,\"sum\":1.5,\"buckets\":[[0.25,1],[5,2]]}]}";

/* Frees nothing between the calls: `out` is the caller's. */
static const char *scrape(struct bm_strbuf *out, const struct http_scrape *how)
{
	struct http_scrape copy = *how;
	json_t *status = json_loads(text, 0, NULL);
	json_t *kept = json_loads(attempts, 0, NULL);

	assert_non_null(status);
	assert_non_null(kept);
	copy.status = status;
	copy.attempts = kept;
	bm_strbuf_clear(out);
	http_metrics_write(&copy, out);
	json_decref(status);
	json_decref(kept);
	return bm_strbuf_text(out);
}

static void assert_has(const char *all, const char *line)
{
	if (strstr(all, line) == NULL) {
		print_error("no '%s' in:\n%s", line, all);
		fail();
	}
}

static const struct http_scrape now = {.is_up = true,
		.taken_msec = 100000,
		.taken_wall_msec = 1700000000000,
		.now_msec = 100010};

static void test_labels_are_escaped_and_what_is_unknown_has_no_sample(void **state)
{
	(void)state;
	struct bm_strbuf out = BM_STRBUF_INIT;
	const char *all = scrape(&out, &now);

	assert_has(all, "bucardo_machine_unit_up{unit=\"a\\\"b\\\\c\\nd\",kind=\"extra\"} 1\n");
	assert_has(all, "bucardo_machine_sync_lag_seconds{sync=\"s\"} 1.5\n");
	assert_has(all, "bucardo_machine_table_paused_rows{migration=\"other\",table=\"public.t\"} 7\n");
	assert_null(strstr(all, "table_paused_rows{migration=\"other\",table=\"public.u\"}"));
	assert_has(all,
			"bucardo_machine_table_bytes{migration=\"other\",table=\"public.\\\"a\\nb\\\\\\\"\","
			"side=\"source\"} 8192\n");
	assert_null(strstr(all, "side=\"destination\"} 0\n# HELP bucardo_machine_table_rows"));
	assert_has(all, "bucardo_machine_table_rows{migration=\"other\",table=\"public.\\\"a\\nb\\\\\\\"\"} 12\n");
	assert_null(strstr(all, "sync_lag_seconds{sync=\"unknown\"}"));
	assert_null(strstr(all, "sync_backlog_rows"));
	assert_has(all, "phase{migration=\"app\",phase=\"unknown\",status=\"waiting\"} 1\n");
	assert_has(all, "sync_last_success_timestamp_seconds{sync=\"s\"} 1699999998\n");
	assert_has(all, "table_copy_bytes{migration=\"other\",table=\"public.t\"} 1\n");
	assert_has(all, "copy_bytes_expected{migration=\"other\"} 10\n");
	bm_strbuf_finish(&out);
}

static void test_each_format_has_its_own_heads_and_end(void **state)
{
	(void)state;
	struct bm_strbuf out = BM_STRBUF_INIT;
	struct http_scrape how = now;
	const char *all = scrape(&out, &how);

	assert_has(all, "# TYPE bucardo_machine_build_info gauge\n");
	assert_has(all, "# TYPE bucardo_machine_orphans_reaped_total counter\n");
	assert_null(strstr(all, "# EOF"));
	how.open_metrics = true;
	all = scrape(&out, &how);
	assert_has(all, "# TYPE bucardo_machine_build info\n");
	assert_has(all, "# TYPE bucardo_machine_orphans_reaped counter\n");
	assert_has(all, "\nbucardo_machine_orphans_reaped_total 3\n");
	assert_has(all, "# UNIT bucardo_machine_sync_lag_seconds seconds\n");
	assert_string_equal(all + strlen(all) - strlen("\n# EOF\n"), "\n# EOF\n");
	bm_strbuf_finish(&out);
}

static void test_a_silent_daemon_is_down_and_its_syncs_fall_behind(void **state)
{
	(void)state;
	struct bm_strbuf out = BM_STRBUF_INIT;
	struct http_scrape how = now;

	scrape(&out, &how);
	how.is_up = false;
	how.now_msec = how.taken_msec + 60000;
	const char *all = scrape(&out, &how);
	assert_has(all, "bucardo_machine_up 0\n");
	assert_has(all, "bucardo_machine_status_age_seconds 60\n");
	assert_has(all, "bucardo_machine_sync_lag_seconds{sync=\"s\"} 61.5\n");
	assert_null(strstr(all, "unit_up"));
	assert_null(strstr(all, "bucardo_machine_ready"));
	bm_strbuf_finish(&out);
}

static void test_a_cut_over_has_its_conditions_and_its_freeze(void **state)
{
	(void)state;
	struct bm_strbuf out = BM_STRBUF_INIT;
	const char *all = scrape(&out, &now);

	assert_has(all,
			"cutover_attempts_total{migration=\"app\",direction=\"cutover\",mode=\"run\","
			"result=\"aborted\",step=\"lock\"} 2\n");
	assert_has(all, "# TYPE bucardo_machine_cutover_freeze_seconds histogram\n");
	assert_has(all,
			"cutover_freeze_seconds_bucket{migration=\"app\",direction=\"cutover\","
			"le=\"0.250\"} 1\n");
	assert_has(all,
			"cutover_freeze_seconds_bucket{migration=\"app\",direction=\"cutover\","
			"le=\"+Inf\"} 2\n");
	assert_has(all, "cutover_freeze_seconds_sum{migration=\"app\",direction=\"cutover\"} 1.5\n");
	assert_has(all,
			"cutover_state{migration=\"app\",direction=\"cutover\",mode=\"rehearse\","
			"state=\"done\"} 1\n");
	assert_has(all, "cutover_last_freeze_seconds{migration=\"app\"} 0.25\n");
	assert_has(all, "cutover_ready{migration=\"app\",condition=\"backlog\"} 1\n");
	assert_has(all, "cutover_ready{migration=\"app\",condition=\"locks\"} 0\n");
	assert_has(all, "cutover_ready{migration=\"app\",condition=\"keys\"} 1\n");
	assert_null(strstr(all, "condition=\"disk\""));
	assert_null(strstr(all, "cutover_attempts_total{migration=\"other\"}"));
	bm_strbuf_finish(&out);
}

static void test_what_was_copied_and_compared_has_its_states(void **state)
{
	(void)state;
	struct bm_strbuf out = BM_STRBUF_INIT;
	const char *all = scrape(&out, &now);

	assert_has(all, "copy_chunks{migration=\"other\",state=\"done\"} 3\n");
	assert_has(all, "copy_chunks{migration=\"other\",state=\"waiting\"} 5\n");
	assert_has(all, "verify_chunks{migration=\"other\",state=\"proven\"} 6\n");
	assert_has(all, "verify_chunks{migration=\"other\",state=\"changed\"} 1\n");
	assert_has(all, "verify_chunks{migration=\"other\",state=\"unproven\"} 3\n");
	assert_has(all, "verify_differences{migration=\"other\",kind=\"missing\"} 2\n");
	assert_has(all, "verify_oldest_proof_timestamp_seconds{migration=\"other\"} 1700000000\n");
	assert_has(all, "table_differences{migration=\"other\",table=\"public.t\"} 3\n");
	assert_null(strstr(all, "verify_chunks{migration=\"app\""));
	/* One head for all rows of a family. */
	const char *head = strstr(all, "# TYPE bucardo_machine_verify_chunks ");
	assert_non_null(head);
	assert_null(strstr(head + 1, "# TYPE bucardo_machine_verify_chunks "));
	bm_strbuf_finish(&out);
}

static void test_after_a_cut_over_the_source_has_the_fence(void **state)
{
	(void)state;
	struct bm_strbuf out = BM_STRBUF_INIT;
	const char *all = scrape(&out, &now);

	assert_has(all, "fence_up{migration=\"other\",side=\"source\"} 1\n");
	assert_has(all, "fence_up{migration=\"other\",side=\"destination\"} 0\n");
	assert_has(all, "writable_sides{migration=\"other\"} 1\n");
	assert_null(strstr(all, "writable_sides{migration=\"app\"}"));
	bm_strbuf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_labels_are_escaped_and_what_is_unknown_has_no_sample),
			cmocka_unit_test(test_each_format_has_its_own_heads_and_end),
			cmocka_unit_test(
					test_a_silent_daemon_is_down_and_its_syncs_fall_behind),
			cmocka_unit_test(test_what_was_copied_and_compared_has_its_states),
			cmocka_unit_test(test_after_a_cut_over_the_source_has_the_fence),
			cmocka_unit_test(test_a_cut_over_has_its_conditions_and_its_freeze),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
