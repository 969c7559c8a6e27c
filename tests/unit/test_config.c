/* A configuration is read as it is meant, or refused with every reason at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/config.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/words.h"

/* The configuration in `text`, which must be a good one. */
static struct bm_config *parse_good(const char *text)
{
	struct bm_strbuf errors = BM_STRBUF_INIT;
	struct bm_config *config = bm_config_parse("f", text, strlen(text), &errors);

	assert_string_equal(bm_strbuf_text(&errors), "");
	assert_non_null(config);
	bm_strbuf_finish(&errors);
	return config;
}

static void test_an_absent_file_means_the_documented_defaults(void **state)
{
	(void)state;
	struct bm_config *config = bm_config_create_default();

	assert_int_equal(config->give_up_after, 0);
	assert_int_equal(config->stop_deadline_msec, 25000);
	assert_int_equal(config->backoff_first_msec, 500);
	assert_int_equal(config->backoff_limit_msec, 30000);
	assert_int_equal(config->stable_after_msec, 60000);
	assert_int_equal(config->stalled_after_msec, 20000);
	assert_int_equal(config->checktime_msec, 15000);
	assert_int_equal(config->observe_interval_msec, 1000);
	assert_int_equal(config->syncrun_keep_rows, 1000);
	assert_true(config->escalation);
	assert_null(config->postgres_settings[0]);
	assert_int_equal(config->log_format, BM_LOG_AUTO);
	assert_int_equal(config->log_level, BM_LOG_INFO);
	assert_int_equal(config->unit_count, 0);
	bm_config_destroy(config);
}

static void test_every_key_reaches_its_member(void **state)
{
	(void)state;
	struct bm_config *config = parse_good(
			"version: 1\n"
			"supervision: {give_up_after: 7, stop_deadline: 1min, "
			"backoff_first: 250ms, backoff_limit: 10 s, stable_after: 1h}\n"
			"bucardo:\n  stalled_after: 40s\n  checktime: 30s\n"
			"  observe_interval: 500ms\n  syncrun_keep_rows: 50\n  escalation: no\n"
			"postgres: {settings: {shared_buffers: 64MB, jit: off}}\n"
			"log: {format: json, level: debug}\n"
			"units:\n"
			"  - name: tunnel\n"
			"    command: [ssh, -N, -L, '7446:db:5432', bastion]\n"
			"    env: {HOME: /tmp, N: 5}\n"
			"    cwd: /var\n"
			"    ready: {tcp: '127.0.0.1:7446', timeout: 3s}\n"
			"    stop_timeout: 2s\n"
			"  - {name: b, command: [sleep, 30], ready: {exec: ['true']}}\n");

	assert_int_equal(config->give_up_after, 7);
	assert_int_equal(config->stop_deadline_msec, 60000);
	assert_int_equal(config->backoff_first_msec, 250);
	assert_int_equal(config->backoff_limit_msec, 10000);
	assert_int_equal(config->stable_after_msec, 3600000);
	assert_int_equal(config->stalled_after_msec, 40000);
	assert_int_equal(config->checktime_msec, 30000);
	assert_int_equal(config->observe_interval_msec, 500);
	assert_int_equal(config->syncrun_keep_rows, 50);
	assert_false(config->escalation);
	assert_string_equal(config->postgres_settings[0], "shared_buffers=64MB");
	assert_string_equal(config->postgres_settings[1], "jit=off");
	assert_null(config->postgres_settings[2]);
	assert_int_equal(config->log_format, BM_LOG_JSON);
	assert_int_equal(config->log_level, BM_LOG_DEBUG);
	assert_int_equal(config->unit_count, 2);
	const struct bm_config_unit *unit = config->units;
	assert_string_equal(unit->name, "tunnel");
	assert_string_equal(unit->command[0], "ssh");
	assert_string_equal(unit->command[4], "bastion");
	assert_null(unit->command[5]);
	assert_string_equal(unit->env[1], "N=5");
	assert_null(unit->env[2]);
	assert_string_equal(unit->cwd, "/var");
	assert_string_equal(unit->ready_tcp, "127.0.0.1:7446");
	assert_null(unit->ready_exec);
	assert_int_equal(unit->ready_timeout_msec, 3000);
	assert_int_equal(unit->stop_timeout_msec, 2000);
	unit++;
	assert_string_equal(unit->command[1], "30");
	assert_null(unit->env[0]);
	assert_null(unit->cwd);
	assert_null(unit->ready_tcp);
	assert_string_equal(unit->ready_exec[0], "true");
	assert_int_equal(unit->ready_timeout_msec, 30000);
	assert_int_equal(unit->stop_timeout_msec, 5000);
	bm_config_destroy(config);
}

/* What is said about `text`, which must be refused; valid until the next call. */
static const char *complaints(const char *text, size_t length)
{
	static struct bm_strbuf errors = BM_STRBUF_INIT;

	bm_strbuf_finish(&errors);
	assert_null(bm_config_parse("f", text, length, &errors));
	return bm_strbuf_text(&errors);
}

static void assert_complaint(const char *text, const char *wanted)
{
	const char *errors = complaints(text, strlen(text));

	if (strstr(errors, wanted) == NULL) {
		fail_msg("wanted:\n%s\nin what is said about:\n%s\nnamely:\n%s", wanted, text,
				errors);
	}
}

/* One row a mistake: what is written after "version: 1", and what must be said about it. */
static const struct {
	const char *text;
	const char *said;
} mistakes[] = {
		{"log: {level: loud}",
				"f:2:14: log.level: found 'loud'; allowed: one of debug, info"},
		{"log: {level: [info]}", "f:2:14: log.level: found a list; allowed: one of"},
		{"log: {level: }", "log.level: found no value; allowed: one of"},
		{"log: text", "f:2:6: log: found a single value; allowed: a mapping"},
		{"bucardo: {checktime: 15}",
				"f:2:22: bucardo.checktime: found '15', a number without a unit; "
				"allowed: a duration from 1s to 1h (units: ms, s, min, h)"},
		{"bucardo: {checktime: 15sec}", "found '15sec', an unknown unit"},
		{"bucardo: {checktime: s}", "found 's', no duration"},
		{"bucardo: {checktime: 1.5s}", "found '1.5s'"},
		{"bucardo: {checktime: -5s}", "found '-5s', no duration"},
		{"bucardo: {checktime: 2h}", "found '2h'; allowed: a duration from 1s to 1h"},
		{"bucardo: {checktime: 99999999999999999999h}", "checktime: found '999"},
		{"bucardo: {checktime: 1500ms}",
				"checktime: found 1500ms; allowed: whole seconds"},
		{"bucardo: {syncrun_keep_rows: 9}",
				"found '9'; allowed: a whole number from 10"},
		{"bucardo: {syncrun_keep_rows: 0x20}", "syncrun_keep_rows: found '0x20'"},
		{"bucardo: {syncrun_keep_rows: 4294967296}",
				"syncrun_keep_rows: found '4294967296'"},
		{"bucardo: {escalation: 1}",
				"bucardo.escalation: found '1'; allowed: true or false"},
		{"bucardo: {escalation: no}\nbucardo: {escalation: no}",
				"f:3:1: bucardo: the key is here for the second time (first in "
				"line 2)"},
		{"supervision: {backoff_first: 40s}",
				"backoff_first (40000ms) is above backoff_limit"},
		{"supervision: {backoff_limit: 20ms}",
				"supervision.backoff_limit: backoff_first (500ms) is above"},
		{"supervison: {}",
				"f:2:1: supervison: unknown key; did you mean 'supervision'?"},
		{"supervision: {stop_deadlin: 3s}",
				"supervision.stop_deadlin: unknown key; did you mean "
				"'stop_deadline'?"},
		{"stop_deadline: 3s", "did you mean 'supervision.stop_deadline'?"},
		{"wibblewobble: 1",
				"wibblewobble: unknown key; known here: version, supervision"},
		{"postgres: {settings: {Listen_Addresses: '*'}}",
				"one socket in the runtime folder"},
		{"postgres: {settings: {data_directory: /x}}", "keeps and finds things"},
		{"postgres: {settings: {fsync: off}}", "kill -9"},
		{"postgres: {settings: {a: 1, a: 2}}",
				"postgres.settings.a: the key is here for the"},
		{"postgres: {settings: {A: 1, a: 2}}",
				"postgres.settings.a: the same setting as 'A'"},
		{"postgres: {settings: {a b: 1}}", "not the name of a PostgreSQL setting"},
		{"postgres: {settings: {a: [1]}}",
				"postgres.settings.a: found a list; allowed: a text"},
		{"postgres: {settings: {a: 'x password=y'}}", "settings.a: holds a password"},
		{"units: {}", "units: found a mapping; allowed: a list of at most 32 mappings"},
		{"units: [x]", "f:2:9: units[0]: found a single value; allowed: a mapping"},
		{"units: [{}]", "units[0].name: missing; it must be given: a text"},
		{"units: [{name: a}]", "units[0].command: missing"},
		{"units: [{name: A, command: [x]}]",
				"units[0].name: found 'A', not a unit name"},
		{"units: [{name: postgres, command: [x]}]",
				"the machine's own unit has this name"},
		{"units: [{name: observe, command: [x]}]",
				"the machine's own unit has this name"},
		{"units: [{name: a, command: [x]}, {name: a, command: [x]}]",
				"f:2:41: units[1].name: units[0] has this name already"},
		{"units: [{name: a, command: x}]",
				"units[0].command: found a single value; allowed"},
		{"units: [{name: a, command: []}]", "units[0].command: found an empty list"},
		{"units: [{name: a, command: ['']}]", "units[0].command"},
		{"units: [{name: a, command: [x, {}]}]",
				"units[0].command[1]: found a mapping"},
		{"units: [{name: a, command: [x, PGPASSWORD=y]}]",
				"command[1]: holds a password"},
		{"units: [{name: a, command: [x, 'pg://u:y@h/d']}]",
				"command[1]: holds a password"},
		{"units: [{name: a, command: [x], cwd: y}]",
				"cwd: found 'y', not an absolute path"},
		{"units: [{name: a, command: [x], env: [y]}]",
				"env: found a list; allowed: a mapping"},
		{"units: [{name: a, command: [x], env: {1A: y}}]",
				"name of an environment variable"},
		{"units: [{name: a, command: [x], ready: {}}]",
				"units[0].ready: neither tcp nor exec; exactly one"},
		{"units: [{name: a, command: [x], ready: {tcp: '[::1]:5', exec: [y]}}]",
				"units[0].ready: both tcp and exec; exactly one"},
		{"units: [{name: a, command: [x], ready: {tcp: 'localhost:5432'}}]",
				"ready.tcp: found 'localhost:5432', not a numeric address and port"},
		{"units: [{name: a, command: [x], ready: {tcp: '127.0.0.1'}}]",
				"not a numeric"},
		{"units: [{name: a, command: [x], ready: {tcp: '127.0.0.1:0'}}]",
				"not a numeric"},
		{"units: [{name: a, command: [x], ready: {tcp: '127.0.0.1:65536'}}]",
				"not a numeric"},
		{"units: [{name: a, command: [x], ready: {tcp: '::1:5432'}}]", "not a numeric"},
		{"a: &b 1", "f:2:4: an anchor ('&')"},
		{"a: *b", "f:2:4: an alias ('*')"},
		{"a: !!str b", "f:2:4: a tag ('!')"},
		{"? [a]\n: b", "f:2:3: a list or mapping as a key"},
		{"---\nversion: 1", "f:2:1: a second document"},
		{"a: {b", "not YAML: "},
		{"a: b: c", "f:2:5: not YAML: mapping values are not allowed"},
		{"\ta: b", "f:2:1: not YAML: "},
		{"a: \"\\0\"", "f:2:4: a NUL character"},
		{"a\xff", "f:2:2: a byte that is not UTF-8"},
		{"a\x01", "f:2:2: a control character"},
		{"a: \xc2\x9f", "f:2:4: not YAML: control characters are not allowed"},
		{"a: [[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]", "nested too deeply"},
};

static void test_every_mistake_is_told_with_its_place_and_what_is_allowed(void **state)
{
	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(mistakes); i++) {
		char text[512];
		snprintf(text, sizeof(text), "version: 1\n%s\n", mistakes[i].text);
		assert_complaint(text, mistakes[i].said);
	}
}

static void test_an_alias_hides_no_other_mistake(void **state)
{
	(void)state;
	const char *text =
			"version: 1\nlog: *a\n"
			"units: [*b, {name: a, command: [*c], env: {A: *d}, ready: {exec: *e}}]\n"
			"supervision: {give_up_after: *f, stop_deadline: x}\n";
	const char *said = complaints(text, strlen(text));
	size_t aliases = 0;

	for (const char *at = said; (at = strstr(at, "an alias ('*')")) != NULL; at++) {
		aliases++;
	}
	assert_int_equal(aliases, 6);
	assert_non_null(strstr(said, "f:4:49: supervision.stop_deadline: found 'x'"));
	assert_null(strstr(said, "no value"));
}

static void test_all_mistakes_are_told_at_once_in_the_files_order(void **state)
{
	(void)state;
	const char *text = "log: {format: xml}\nverison: 1\n"
			   "supervision:\n  stop_deadline: 9\n  give_up_after: x\n";

	assert_string_equal(complaints(text, strlen(text)),
			"f:1:1: version: missing; it must be given: the whole number 1\n"
			"f:1:15: log.format: found 'xml'; allowed: one of auto, text, json\n"
			"f:2:1: verison: unknown key; did you mean 'version'? (known here: "
			"version, supervision, bucardo, postgres, log, http, notify, units, migrations)\n"
			"f:4:18: supervision.stop_deadline: found '9', a number without a unit; "
			"allowed: a duration from 1s to 1h (units: ms, s, min, h)\n"
			"f:5:18: supervision.give_up_after: found 'x'; allowed: a whole number "
			"from 0 to 1000000\n");
}

static void test_a_file_with_nothing_in_it_is_refused(void **state)
{
	(void)state;
	assert_complaint("", "f:1:1: nothing in it");
	assert_complaint("# only words\n", "f:1:1: nothing in it");
	assert_complaint("--- ~\n", "f:1:1: nothing in it");
	assert_complaint("[1]", "f:1:1: found a list; allowed: a mapping of keys");
	assert_complaint("{}", "f:1:1: version: missing");
	assert_complaint("version: 2",
			"f:1:10: version: found '2'; allowed: the whole number 1");
}

static void test_a_flood_of_mistakes_is_cut(void **state)
{
	(void)state;
	struct bm_strbuf text = BM_STRBUF_INIT;

	bm_strbuf_puts(&text, "version: 1\n");
	for (int i = 0; i < 1000; i++) {
		bm_strbuf_printf(&text, "key%d: 1\n", i);
	}
	const char *errors = complaints(text.text, text.length);
	assert_true(strlen(errors) < 16384);
	assert_non_null(strstr(errors, "f: 950 more errors are not shown\n"));
	bm_strbuf_finish(&text);
}

static void test_bombs_and_huge_files_are_refused_quickly(void **state)
{
	(void)state;
	struct bm_strbuf text = BM_STRBUF_INIT;

	for (size_t i = 0; i < BM_CONFIG_LIMIT_BYTES; i++) {
		bm_strbuf_putc(&text, '[');
	}
	assert_non_null(strstr(complaints(text.text, text.length), "nested too deeply"));
	bm_strbuf_putc(&text, '[');
	assert_non_null(strstr(complaints(text.text, text.length), "at most 1048576 are read"));
	bm_strbuf_clear(&text);
	bm_strbuf_puts(&text, "[");
	for (int i = 0; i < 20000; i++) {
		bm_strbuf_puts(&text, "a,");
	}
	bm_strbuf_puts(&text, "a]");
	assert_non_null(strstr(complaints(text.text, text.length), "more than 10000 values"));
	bm_strbuf_finish(&text);
}

static void test_no_message_repeats_a_secret(void **state)
{
	(void)state;
	const char *text = "version: pg://u:hunter2@h\npassword: hunter2\n"
			   "log: {level: 'password=hunter2'}\n"
			   "postgres: {settings: {a: 'password=hunter2'}}\n"
			   "units: [{name: 'password=hunter2', command: [PASSWORD=hunter2, "
			   "[hunter2]], env: {A: [hunter2], 'B C': hunter2}}]\n";

	assert_null(strstr(complaints(text, strlen(text)), "hunter2"));
}

static void test_durations_may_be_written_in_any_unit(void **state)
{
	(void)state;
	struct bm_config *config = parse_good(
			"version: 1\nsupervision: {backoff_first: 10ms, backoff_limit: 1h, "
			"stable_after: 24h, stop_deadline: 90 s}\n");

	assert_int_equal(config->backoff_first_msec, 10);
	assert_int_equal(config->backoff_limit_msec, 3600000);
	assert_int_equal(config->stable_after_msec, 86400000);
	assert_int_equal(config->stop_deadline_msec, 90000);
	bm_config_destroy(config);
}

static void test_a_byte_order_mark_and_windows_line_ends_are_fine(void **state)
{
	(void)state;
	struct bm_config *config = parse_good(
			"\xef\xbb\xbfversion: 1\r\nlog:\r\n  level: warn\r\n");

	assert_int_equal(config->log_level, BM_LOG_WARN);
	bm_config_destroy(config);
}

/* What `config show` says about a text. */
static void test_a_near_miss_is_found_by_edit_distance(void **state)
{
	(void)state;
	assert_int_equal(bm_words_distance("", ""), 0);
	assert_int_equal(bm_words_distance("a", ""), 1);
	assert_int_equal(bm_words_distance("version", "version"), 0);
	assert_int_equal(bm_words_distance("verison", "version"), 1);
	assert_int_equal(bm_words_distance("kitten", "sitting"), 3);
}

#define T(test) cmocka_unit_test(test)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(test_an_absent_file_means_the_documented_defaults),
			T(test_every_key_reaches_its_member),
			T(test_every_mistake_is_told_with_its_place_and_what_is_allowed),
			T(test_all_mistakes_are_told_at_once_in_the_files_order),
			T(test_an_alias_hides_no_other_mistake),
			T(test_a_file_with_nothing_in_it_is_refused),
			T(test_a_flood_of_mistakes_is_cut),
			T(test_bombs_and_huge_files_are_refused_quickly),
			T(test_no_message_repeats_a_secret),
			T(test_durations_may_be_written_in_any_unit),
			T(test_a_byte_order_mark_and_windows_line_ends_are_fine),
			T(test_a_near_miss_is_found_by_edit_distance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
