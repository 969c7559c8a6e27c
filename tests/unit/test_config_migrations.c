/* `migrations:` is read as it is meant, or refused with every reason at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "bucardo_machine/config.h"
#include "bucardo_machine/macros.h"

#define ENDS "source: {host: a, dbname: d, user: u}, destination: {host: b, dbname: d, user: u}"

static struct bm_config *parse_good(const char *text)
{
	struct bm_strbuf errors = BM_STRBUF_INIT;
	struct bm_config *config = bm_config_parse("f", text, strlen(text), &errors);

	assert_string_equal(bm_strbuf_text(&errors), "");
	assert_non_null(config);
	bm_strbuf_finish(&errors);
	return config;
}

static void test_a_short_migration_has_the_documented_defaults(void **state)
{
	(void)state;
	struct bm_config *config = parse_good(
			"version: 1\nmigrations: [{name: app, " ENDS "}]\n");
	const struct bm_config_migration *migration = config->migrations;

	assert_int_equal(config->migration_count, 1);
	assert_string_equal(migration->name, "app");
	assert_string_equal(migration->source.host, "a");
	assert_int_equal(migration->source.port, 5432);
	assert_string_equal(migration->source.sslmode, "prefer");
	assert_null(migration->source.sslrootcert);
	assert_string_equal(migration->destination.host, "b");
	assert_int_equal(migration->direction, BM_DIRECTION_BOTH);
	assert_int_equal(migration->run_until, BM_PHASE_REPLICATE);
	assert_int_equal(migration->syncs, 1);
	assert_int_equal(migration->copy_jobs, 4);
	assert_int_equal(migration->copy_max_rate, 0);
	assert_true(migration->copy_throttle);
	assert_null(migration->include);
	assert_null(migration->exclude);
	bm_config_destroy(config);
}

static void test_every_key_of_a_migration_reaches_its_member(void **state)
{
	(void)state;
	struct bm_config *config = parse_good(
			"version: 1\nmigrations:\n- name: app_2\n"
			"  source: {host: /run/pg, port: 7446, dbname: \"my db\", user: u1,\n"
			"    sslmode: verify-full, sslrootcert: /ca.pem}\n"
			"  destination: {host: 10.0.0.2, port: 1, dbname: e, user: u2, sslmode: disable}\n"
			"  direction: forward\n  syncs: 3\n  run_until: copy\n"
			"  tables: {include: [public.*, a.b], exclude: [audit.*]}\n"
			"  owners: drop\n  grants: keep\n  roles: {old: new}\n  create_roles: yes\n"
			"  extensions: {skip: [a], versions: {b: \"1.2\"}}\n"
			"  copy: {jobs: 7, max_rate: 50 MB, throttle: no}\n");
	const struct bm_config_migration *migration = config->migrations;

	assert_string_equal(migration->source.host, "/run/pg");
	assert_int_equal(migration->source.port, 7446);
	assert_string_equal(migration->source.dbname, "my db");
	assert_string_equal(migration->source.sslmode, "verify-full");
	assert_string_equal(migration->source.sslrootcert, "/ca.pem");
	assert_int_equal(migration->destination.port, 1);
	assert_string_equal(migration->destination.user, "u2");
	assert_string_equal(migration->destination.sslmode, "disable");
	assert_int_equal(migration->direction, BM_DIRECTION_FORWARD);
	assert_int_equal(migration->run_until, BM_PHASE_COPY);
	assert_int_equal(migration->syncs, 3);
	assert_int_equal(migration->copy_jobs, 7);
	assert_int_equal(migration->copy_max_rate, 52428800); /* shown as 50.0 MB/s */
	assert_false(migration->copy_throttle);
	assert_string_equal(migration->include[1], "a.b");
	assert_null(migration->include[2]);
	assert_string_equal(migration->exclude[0], "audit.*");
	assert_int_equal(migration->owners, BM_DROP);
	assert_int_equal(migration->grants, BM_KEEP);
	assert_string_equal(migration->roles[0], "old=new");
	assert_true(migration->create_roles);
	assert_string_equal(migration->skip_extensions[0], "a");
	assert_string_equal(migration->extension_versions[0], "b=1.2");
	bm_config_destroy(config);
}

static void test_what_is_shown_can_be_loaded_and_means_the_same(void **state)
{
	(void)state;
	struct bm_strbuf first = BM_STRBUF_INIT, second = BM_STRBUF_INIT;
	struct bm_config *config = parse_good(
			"version: 1\nmigrations: [{name: app, copy: {jobs: 7, max_rate: 3MiB}, "
			"tables: {exclude: [\"a.\\\"B\\\"\"]}, extensions: {versions: {x: \"1\"}}, " ENDS
			"}]\n");

	bm_config_show(config, &first);
	bm_config_destroy(config);
	config = parse_good(bm_strbuf_text(&first));
	bm_config_show(config, &second);
	bm_config_destroy(config);
	assert_string_equal(bm_strbuf_text(&first), bm_strbuf_text(&second));
	assert_non_null(strstr(bm_strbuf_text(&first), "sslmode: \"prefer\" # default"));
	assert_non_null(strstr(bm_strbuf_text(&first), "jobs: 7\n"));
	assert_non_null(strstr(bm_strbuf_text(&first), "max_rate: 3MB\n"));
	bm_strbuf_finish(&first);
	bm_strbuf_finish(&second);
}

static const struct {
	const char *text; /* of one migration */
	const char *complaint;
} bad[] = {
		{"name: app, copy: {throttle: no, gentle: no}, " ENDS,
				"copy.gentle: the key is here for the second time"},
		{"name: App, " ENDS, "[0].name: found 'App', not a migration's name"},
		{"name: app, copy: {max_rate: 50}, " ENDS,
				"copy.max_rate: found '50', a number without a unit; allowed: a "
				"rate from 100kB to 1000GB a second, or none (units: B, KiB, kB, "
				"MiB, MB, GiB, GB)"},
		{"name: app, copy: {max_rate: fast}, " ENDS, "found 'fast', no rate"},
		{"name: app, copy: {max_rate: 1kB}, " ENDS, "found '1kB'; allowed: a rate"},
		{"name: app, copy: {max_rate: 999999999999GiB}, " ENDS, "'999999999999GiB'; a"},
		{"name: a-b, " ENDS, "not a migration's name"},
		{"name: app, destination: {host: b, dbname: d, user: u}",
				"[0].source: missing; it must be given: a mapping"},
		{"name: app, source: {host: a, dbname: d, user: u, password: geheim}, "
		 "destination: {host: b, dbname: d, user: u}",
				"[0].source.password: unknown key; passwords stand in pgpass"},
		{"name: app, source: {host: a, dbname: d}, "
		 "destination: {host: b, dbname: d, user: u}",
				"[0].source.user: missing"},
		{"name: app, source: {host: \"postgresql://u@h/d\", dbname: d, user: u}, "
		 "destination: {host: b, dbname: d, user: u}",
				"a URL; the host alone"},
		{"name: app, source: {host: \"a,b\", dbname: d, user: u}, "
		 "destination: {host: b, dbname: d, user: u}",
				"not a host"},
		{"name: app, source: {host: a, dbname: \"d;x\", user: u}, "
		 "destination: {host: b, dbname: d, user: u}",
				"not a name that Bucardo can connect with"},
		{"name: app, source: {host: a, dbname: d, user: u, sslmode: on}, "
		 "destination: {host: b, dbname: d, user: u}",
				"not an sslmode"},
		{"name: app, source: {host: a, dbname: d, user: u}, "
		 "destination: {host: a, dbname: d, user: v}",
				"[0].destination: the same database as the source"},
		{"name: app, tables: {include: [x]}, " ENDS,
				"[0].tables.include[0]: not a pattern of tables; SCHEMA.TABLE"},
		{"name: app, tables: {exclude: []}, " ENDS, "found an empty list"},
		{"name: app, owners: mine, " ENDS,
				"[0].owners: found 'mine'; allowed: one of keep, drop"},
		{"name: app, extensions: {skip: [\"a b\"]}, " ENDS, "not an extension"},
		{"name: app, roles: {\"a=b\": c}, " ENDS, "not names of roles"},
		{"name: app, run_until: cutover, " ENDS,
				"found 'cutover', which a person asks for by the command of that name; allowed: one of "
				"preflight, schema, capture, copy, index, replicate"},
		{"name: app, run_until: cut, " ENDS, "found 'cut'; allowed: one of preflight"},
		{"name: app, copy: {jobs: 0}, " ENDS, "a whole number from 1 to 64"},
		{"name: app, copy: {rate: 1MB}, " ENDS, "[0].copy.rate: unknown key"},
		{"name: app, " ENDS "}, {name: app, " ENDS,
				"migrations[1].name: migrations[0] has this name already"},
};

#define POOLER "type: pgbouncer, connection: {host: h, user: u}, databases: [app], file: /d.ini"
#define HOOKS(text) "name: app, " ENDS ", cutover: {hooks: [{" text "}]}"

static const struct {
	const char *yaml, *problem;
} bad_hooks[] = {
		{HOOKS("name: a, type: pgbouncer, connection: {host: h, user: u}, databases: [app]"),
				"2:127: migrations[0].cutover.hooks[0]: a hook of type pgbouncer needs 'file'"},
		{HOOKS("name: a, type: sql, connection: {host: h, user: u, dbname: d}"),
				"needs 'statements'"},
		{HOOKS("name: a, type: sql, connection: {host: h}, statements: [SELECT 1]"),
				"its connection has no 'user'; host, port, dbname and user"},
		{HOOKS("name: a, type: command"), "needs 'command'"},
		{HOOKS("name: a, type: command, command: [x], file: /d"),
				"a hook of type command has no 'file'"},
		{HOOKS("name: a, when: before, " POOLER),
				"a hook of type pgbouncer has no 'when'"},
		{HOOKS("name: a, type: none, file: /f"), "a hook of type none has no 'file'"},
		{HOOKS("name: a, type: nones"),
				"found 'nones'; allowed: one of sql, command, pgbouncer, none"},
		{HOOKS("type: none"), "hooks[0].name: missing"},
		{HOOKS("name: a b, type: none"), "not the name of a hook"},
		{HOOKS("name: a, type: none}, {name: a, type: none"),
				"hooks[0] has this name already"},
		{HOOKS("name: a, type: command, command: [x, \"password=y\"]"),
				"holds a password"},
		{HOOKS("name: a, type: pgbouncer, connection: {host: h, user: u, password: p}, databases: [d], file: /f"),
				"passwords stand in pgpass"},
		{HOOKS("name: a, source: {host: \"a b\"}, " POOLER),
				"not a value for a line of PgBouncer's file"},
		{HOOKS("name: a, source: {pool_size: 3}, " POOLER), "host, port and dbname"},
		{HOOKS("name: a, timeout: 1h, " POOLER), "a duration from 100ms to 10min"},
};

static void test_bad_hooks_are_refused_with_the_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(bad_hooks); i++) {
		struct bm_strbuf errors = BM_STRBUF_INIT, text = BM_STRBUF_INIT;
		bm_strbuf_printf(&text, "version: 1\nmigrations: [{%s}]\n", bad_hooks[i].yaml);
		assert_null(bm_config_parse("f", bm_strbuf_text(&text), text.length, &errors));
		if (strstr(bm_strbuf_text(&errors), bad_hooks[i].problem) == NULL ||
				strncmp(bm_strbuf_text(&errors), "f:2:", 4) != 0) {
			fail_msg("%s: %s", bad_hooks[i].yaml, bm_strbuf_text(&errors));
		}
		bm_strbuf_finish(&errors);
		bm_strbuf_finish(&text);
	}
}

static void test_hooks_are_read_and_shown_as_they_were_written(void **state)
{
	(void)state;
	struct bm_strbuf shown = BM_STRBUF_INIT;
	struct bm_config *config = parse_good(
			"version: 1\nmigrations:\n- name: a\n"
			"  source: {host: a, dbname: d, user: u}\n"
			"  destination: {host: b, dbname: d, user: u}\n"
			"  cutover:\n    hooks:\n"
			"    - {name: front, " POOLER ", source: {port: 7}}\n"
			"    - {name: go, type: command, command: [x, y], when: before}\n");
	const struct bm_config_migration *migration = config->migrations;

	assert_int_equal(migration->hook_count, 2);
	assert_int_equal(migration->hooks[0].type, BM_HOOK_PGBOUNCER);
	assert_string_equal(migration->hooks[0].databases[0], "app");
	assert_string_equal(migration->hooks[0].source[0], "port=7");
	assert_string_equal(migration->hooks[0].connection[0], "host=h");
	assert_null(migration->hooks[0].destination[0]);
	assert_int_equal(migration->hooks[0].timeout_msec, 10000);
	assert_int_equal(migration->hooks[1].type, BM_HOOK_COMMAND);
	assert_int_equal(migration->hooks[1].when, BM_HOOK_BEFORE);
	assert_string_equal(migration->hooks[1].command[1], "y");
	bm_config_show(config, &shown);
	assert_non_null(strstr(bm_strbuf_text(&shown), "- name: \"front\""));
	bm_config_destroy(parse_good(bm_strbuf_text(&shown)));
	bm_strbuf_finish(&shown);
	bm_config_destroy(config);
}

static void test_a_key_is_read_by_its_former_name_too(void **state)
{
	(void)state;
	struct bm_config *config = parse_good("version: 1\nmigrations:\n- name: a\n"
					      "  source: {host: a, dbname: d, user: u}\n"
					      "  destination: {host: b, dbname: d, user: u}\n"
					      "  copy: {gentle: no}\n");

	assert_false(config->migrations[0].copy_throttle);
	bm_config_destroy(config);
}

static void test_what_is_wrong_is_refused_with_the_reason(void **state)
{
	(void)state;

	for (size_t i = 0; i < BM_COUNT_OF(bad); i++) {
		struct bm_strbuf errors = BM_STRBUF_INIT;
		char text[1024];
		snprintf(text, sizeof(text), "version: 1\nmigrations: [{%s}]\n", bad[i].text);
		assert_null(bm_config_parse("f", text, strlen(text), &errors));
		if (strstr(bm_strbuf_text(&errors), bad[i].complaint) == NULL) {
			fail_msg("%s\ngave: %s", text, bm_strbuf_text(&errors));
		}
		assert_null(strstr(bm_strbuf_text(&errors), "geheim"));
		bm_strbuf_finish(&errors);
	}
}

static void test_every_phase_has_a_name_that_finds_it(void **state)
{
	(void)state;
	enum bm_phase found = BM_PHASE_COUNT;

	for (enum bm_phase phase = 0; phase < BM_PHASE_COUNT; phase++) {
		assert_true(bm_phase_parse(bm_phase_name(phase), &found));
		assert_int_equal(found, phase);
	}
	assert_false(bm_phase_parse("unknown", &found));
}

static void test_the_migration_in_the_example_is_a_good_one(void **state)
{
	(void)state;
	struct bm_strbuf example = BM_STRBUF_INIT, text = BM_STRBUF_INIT;

	bm_config_example(&example);
	bm_strbuf_puts(&text, "version: 1\nmigrations:\n");
	for (char *line = strstr(example.text, "#  - name: app");
			line != NULL && *line == '#';) {
		char *end = strchr(line, '\n');
		bm_strbuf_add(&text, line + 1, (size_t)(end - line));
		line = end + 1;
	}
	struct bm_config *config = parse_good(bm_strbuf_text(&text));
	assert_int_equal(config->migration_count, 1);
	assert_int_equal(config->migrations[0].source.port, 5433);
	assert_int_equal(config->migrations[0].copy_jobs, 4);
	bm_config_destroy(config);
	bm_strbuf_finish(&example);
	bm_strbuf_finish(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_a_short_migration_has_the_documented_defaults),
			cmocka_unit_test(test_every_key_of_a_migration_reaches_its_member),
			cmocka_unit_test(test_what_is_shown_can_be_loaded_and_means_the_same),
			cmocka_unit_test(test_bad_hooks_are_refused_with_the_line),
			cmocka_unit_test(test_hooks_are_read_and_shown_as_they_were_written),
			cmocka_unit_test(test_a_key_is_read_by_its_former_name_too),
			cmocka_unit_test(test_what_is_wrong_is_refused_with_the_reason),
			cmocka_unit_test(test_the_migration_in_the_example_is_a_good_one),
			cmocka_unit_test(test_every_phase_has_a_name_that_finds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
