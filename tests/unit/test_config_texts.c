/* What is printed of a configuration: the one in force, the example, the reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/config.h"
#include "base/config/keys.h"

static struct bm_config *parse_good(const char *text)
{
	struct bm_strbuf errors = BM_STRBUF_INIT;
	struct bm_config *config = bm_config_parse("f", text, strlen(text), &errors);

	assert_string_equal(bm_strbuf_text(&errors), "");
	bm_strbuf_finish(&errors);
	return config;
}

static char *show(const char *text)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	struct bm_config *config = parse_good(text);

	bm_config_show(config, &out);
	bm_config_destroy(config);
	return bm_strbuf_detach(&out);
}

static void test_what_is_shown_can_be_read_again_and_means_the_same(void **state)
{
	(void)state;
	char *first = show(
			"version: 1\n"
			"supervision: {give_up_after: 3, backoff_first: 1500ms}\n"
			"postgres: {settings: {shared_buffers: 64MB, a.b: 'x \"y\\z'}}\n"
			"units:\n"
			"  - name: a\n    command: [x, \"t\\tn\\n\", '\xe2\x82\xac', '']\n"
			"    env: {A: '1=2: # \"'}\n    ready: {exec: [y], timeout: 90s}\n"
			"  - {name: b, command: ['null', '~', on], cwd: /, stop_timeout: 1min}\n");
	char *second = show(first);

	assert_string_equal(first, second);
	assert_non_null(strstr(first, "  give_up_after: 3\n"));
	assert_non_null(strstr(first, "  backoff_first: 1500ms\n"));
	assert_non_null(strstr(first, "  stop_deadline: 25s # default\n"));
	assert_non_null(strstr(first, "  - name: \"a\"\n"));
	assert_non_null(strstr(first, "      timeout: 90s\n"));
	free(first);
	free(second);
}

static void test_what_is_shown_hides_secrets(void **state)
{
	(void)state;
	char *text = show("version: 1\nunits: [{name: a, command: [x], env: {"
			  "MY_PASSWORD: hunter2, the_secret: hunter2, A_TOKEN: hunter2, "
			  "API_KEY: hunter2, URL: 'http://u:hunter2@h', PLAIN: visible}}]\n");

	assert_null(strstr(text, "hunter2"));
	assert_non_null(strstr(text, "MY_PASSWORD: \"(hidden)\"\n"));
	assert_non_null(strstr(text, "PLAIN: \"visible\"\n"));
	free(text);
}

static void test_the_example_is_a_good_file_with_every_default(void **state)
{
	(void)state;
	struct bm_strbuf example = BM_STRBUF_INIT, defaults = BM_STRBUF_INIT;
	struct bm_config *config = bm_config_create_default();

	bm_config_example(&example);
	bm_config_show(config, &defaults);
	char *shown = show(bm_strbuf_text(&example));
	assert_string_equal(shown, bm_strbuf_text(&defaults));
	bm_config_destroy(config);
	bm_strbuf_finish(&example);
	bm_strbuf_finish(&defaults);
	free(shown);
}

static void test_the_unit_in_the_example_is_a_good_one(void **state)
{
	(void)state;
	struct bm_strbuf example = BM_STRBUF_INIT, text = BM_STRBUF_INIT;

	bm_config_example(&example);
	bm_strbuf_puts(&text, "version: 1\nunits:\n");
	for (char *line = strstr(example.text, "#  - name:"); line != NULL && *line == '#';) {
		char *end = strchr(line, '\n');
		bm_strbuf_add(&text, line + 1, (size_t)(end - line));
		line = end + 1;
	}
	struct bm_config *config = parse_good(bm_strbuf_text(&text));
	assert_int_equal(config->unit_count, 1);
	assert_string_equal(config->units[0].ready_tcp, "127.0.0.1:7446");
	bm_config_destroy(config);
	bm_strbuf_finish(&example);
	bm_strbuf_finish(&text);
}

static void test_the_reference_and_the_example_explain_every_key(void **state)
{
	(void)state;
	struct bm_strbuf reference = BM_STRBUF_INIT, example = BM_STRBUF_INIT;

	bm_config_reference(&reference);
	bm_config_example(&example);
	for (size_t i = 0; i < bm_key_count; i++) {
		const char *path = bm_keys[i].path;
		const char *dot = strrchr(path, '.');
		assert_true(strlen(bm_keys[i].help) > 10);
		assert_non_null(strstr(reference.text, path));
		assert_non_null(strstr(example.text, dot != NULL ? dot + 1 : path));
	}
	bm_strbuf_finish(&reference);
	bm_strbuf_finish(&example);
}

static void test_every_default_in_the_table_is_within_its_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < bm_key_count; i++) {
		const struct bm_key *key = &bm_keys[i];
		if (key->type == BM_KEY_DURATION || key->type == BM_KEY_COUNT) {
			assert_in_range(key->fallback, key->minimum, key->maximum);
		}
	}
}

#define T(test) cmocka_unit_test(test)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(test_what_is_shown_can_be_read_again_and_means_the_same),
			T(test_what_is_shown_hides_secrets),
			T(test_the_example_is_a_good_file_with_every_default),
			T(test_the_unit_in_the_example_is_a_good_one),
			T(test_the_reference_and_the_example_explain_every_key),
			T(test_every_default_in_the_table_is_within_its_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
