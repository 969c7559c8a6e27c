/* What stands under a migration, and where there is no sync, is what is the case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "client/terminal/render.h"
#include "client/terminal/text.h"

static json_t *make_migration(const char *phase, const char *status)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:[], s:{s:s, s:s}}", "name",
			"app", "phase", phase, "status", status, "why", "the source was away",
			"hint", "bring it back", "age_msec", (json_int_t)1000, "until",
			"replicate", "findings", "progress", "unit", "rows", "text", "");
}

static char *draw(const json_t *migration)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	json_t *list = json_pack("[O]", migration);

	cli_text_set_columns(160);
	cli_render_migrations(list, CLI_ALL, false, &out);
	cli_text_set_columns(0);
	json_decref(list);
	return bm_strbuf_detach(&out);
}

static void assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL) {
		fail_msg("'%s' is not in:\n%s", part, text);
	}
}

static void test_why_the_last_try_failed_is_no_reason_of_the_one_under_way(void **state)
{
	json_t *migration = make_migration("copy", "running");
	char *text = draw(migration);

	(void)state;
	assert_has(text, "last try failed: the source was away; hint: bring it back");
	assert_null(strstr(text, "why: the source was away"));
	free(text);
	json_object_set_new(migration, "status", json_string("waiting"));
	text = draw(migration);
	assert_has(text, "why: the source was away");
	assert_has(text, "hint: bring it back");
	free(text);
	json_decref(migration);
}

static void assert_no_syncs(json_t *migrations, const char *expected)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	json_t *status = json_pack("{s:[], s:O, s:s}", "syncs", "migrations", migrations,
			"state", "ready");

	cli_render_no_syncs(status, &out);
	assert_has(bm_strbuf_text(&out), expected);
	bm_strbuf_finish(&out);
	json_decref(status);
}

static void test_after_a_teardown_no_sync_waits_to_be_looked_at(void **state)
{
	json_t *one = make_migration("replicate", "live"), *list = json_pack("[O]", one);

	(void)state;
	json_object_set_new(one, "phases",
			json_pack("[{s:s, s:s}]", "phase", "capture", "state", "done"));
	assert_no_syncs(list, "The syncs were not looked at yet.");
	json_object_set_new(one, "phase", json_string("teardown"));
	json_object_set_new(one, "status", json_string("done"));
	assert_no_syncs(list, "No sync is left: the teardown has removed them.");
	json_array_append_new(list, make_migration("schema", "running"));
	assert_no_syncs(list, "No sync is known yet: migrations make theirs in capture.");
	json_decref(list);
	json_decref(one);
}

static void test_the_number_of_findings_agrees_with_the_lines(void **state)
{
	json_t *migration = make_migration("preflight", "failed");
	json_t *findings = json_object_get(migration, "findings");
	char name[16];

	(void)state;
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "p.t%d", i);
		json_array_append_new(findings,
				json_pack("{s:s, s:s, s:s, s:s}", "severity", "stops", "object",
						name, "why", i < 7 ? "no key" : "odd", "hint",
						""));
	}
	char *text = draw(migration);
	assert_has(text, "stops: p.t4: no key");
	assert_null(strstr(text, "stops: p.t5"));
	assert_has(text, "stops: and 3 more");
	assert_has(text,
			"findings: 8 of preflight; `bucardo-machine plan app` shows them, equal "
			"ones together: 2 paragraphs");
	free(text);
	json_decref(migration);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_why_the_last_try_failed_is_no_reason_of_the_one_under_way),
			cmocka_unit_test(test_after_a_teardown_no_sync_waits_to_be_looked_at),
			cmocka_unit_test(test_the_number_of_findings_agrees_with_the_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
