/* `plan` on the screen: equal findings are one paragraph, and nothing is wider than the screen.
 */
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

static json_t *make_findings(size_t keyless)
{
	json_t *findings = json_array();
	char name[64], hint[128];

	for (size_t i = 0; i < keyless; i++) {
		snprintf(name, sizeof(name), "warehouse_reporting.monthly_use_%02zu", i);
		snprintf(hint, sizeof(hint), "ALTER TABLE %s ADD PRIMARY KEY (...)", name);
		json_array_append_new(findings,
				json_pack("{s:s, s:s, s:s, s:s}", "severity", "degrades",
						"object", name, "why", "it has no key", "hint",
						hint));
	}
	json_array_append_new(findings,
			json_pack("{s:s, s:s, s:s, s:s}", "severity", "degrades", "object",
					"large objects", "why", "2 of them", "hint", ""));
	return findings;
}

static void check_width(const char *text, size_t columns)
{
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
		if (strcspn(line, "\n") > columns) {
			fail_msg("wider than %zu: %.*s", columns, (int)strcspn(line, "\n"),
					line);
		}
	}
}

static void test_eighteen_tables_without_a_key_are_one_paragraph(void **state)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	json_t *findings = make_findings(18);

	(void)state;
	cli_text_set_columns(160);
	cli_render_findings(findings, &out);
	cli_text_set_columns(0);
	const char *text = bm_strbuf_text(&out);
	assert_non_null(strstr(
			text, "degrades 18 tables (warehouse_reporting.monthly_use_00, "));
	assert_non_null(strstr(text, " and 6 more), of each: it has no key"));
	assert_non_null(strstr(text, "hint: ALTER TABLE NAME ADD PRIMARY KEY (...)\n"));
	assert_non_null(strstr(text, "degrades large objects: 2 of them\n"));
	const char *first = strstr(text, "it has no key");
	assert_null(strstr(first + 1, "it has no key"));
	json_decref(findings);
	bm_strbuf_finish(&out);
}

static void test_one_finding_stands_for_itself(void **state)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	json_t *findings = make_findings(1);

	(void)state;
	cli_render_findings(findings, &out);
	assert_non_null(strstr(bm_strbuf_text(&out),
			"degrades warehouse_reporting.monthly_use_00: it has no key\n"));
	assert_non_null(strstr(bm_strbuf_text(&out),
			"hint: ALTER TABLE warehouse_reporting.monthly_use_00 ADD"));
	json_decref(findings);
	bm_strbuf_finish(&out);
}

static void test_the_end_is_a_sentence_and_no_list_of_counters(void **state)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	json_t *evidence = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "tables", 1, "left_out",
			1, "bytes", 1818624, "note", 0, "degrades", 20, "stops", 0);

	(void)state;
	cli_render_evidence(evidence, &out);
	assert_string_equal(
			bm_strbuf_text(&out), "  1 table, 1.7 MB; found: 20 that degrade\n");
	json_decref(evidence);
	bm_strbuf_finish(&out);
}

static void test_an_outlook_fits_the_screen(void **state)
{
	static const size_t widths[] = {80, 60};
	json_t *plan = json_loads(
			"{\"tables\":{\"count\":21,\"bytes\":123456789012,\"index_bytes\":98765432109,"
			"\"biggest\":[{\"name\":\"warehouse_reporting.monthly_use_by_customer\","
			"\"bytes\":123456789012,\"index_bytes\":98765432109,\"rows\":1234567890,"
			"\"chunks\":1234},{\"name\":\"public.empty\",\"bytes\":0,\"index_bytes\":8192,"
			"\"rows\":null,\"chunks\":1}]},\"chunks\":1,\"jobs\":1,\"max_rate\":52428800,"
			"\"kill_bytes\":536870912,"
			"\"estimate\":{\"copy_msec\":[60000,3600000],\"index_msec\":null,"
			"\"sample_bytes\":16777216,\"read_rate\":100000000,\"why\":\"\"},\"locks\":"
			"[{\"side\":\"destination\",\"phase\":\"schema to index\",\"mode\":"
			"\"ACCESS EXCLUSIVE\",\"statement\":\"CREATE, COPY, ALTER TABLE\",\"blocks\":"
			"\"whoever uses the new tables\",\"longest\":\"a chunk\"}],\"left\":[{\"what\":"
			"\"large objects\",\"count\":2,\"names\":\"1, 2\",\"why\":\"copied once\"}]}",
			0, NULL);

	(void)state;
	assert_non_null(plan);
	for (size_t i = 0; i < BM_COUNT_OF(widths); i++) {
		struct bm_strbuf out = BM_STRBUF_INIT;
		json_t *findings = make_findings(18);
		cli_text_set_columns(widths[i]);
		cli_render_findings(findings, &out);
		cli_render_outlook(plan, &out);
		cli_text_set_columns(0);
		check_width(bm_strbuf_text(&out), widths[i]);
		assert_null(strstr(bm_strbuf_text(&out), "1 chunks"));
		assert_null(strstr(bm_strbuf_text(&out), "1 connections"));
		assert_non_null(strstr(bm_strbuf_text(&out), "115.0 GB"));
		assert_non_null(strstr(bm_strbuf_text(&out), "512"));
		assert_non_null(strstr(bm_strbuf_text(&out), "and 20 smaller ones"));
		assert_null(strstr(bm_strbuf_text(&out), "public.empty"));
		json_decref(findings);
		bm_strbuf_finish(&out);
	}
	json_decref(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_eighteen_tables_without_a_key_are_one_paragraph),
			cmocka_unit_test(test_one_finding_stands_for_itself),
			cmocka_unit_test(test_the_end_is_a_sentence_and_no_list_of_counters),
			cmocka_unit_test(test_an_outlook_fits_the_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
