/* Command lines: what is understood, what is refused, and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "client/cli/command.h"

static char *line[16];

/* Parse a NULL-terminated command line; argv[0] is added. */
static int parse(struct cli_call *call, struct bm_error *err, const char *const *words)
{
	int count = 1;

	line[0] = (char *)(uintptr_t) "bucardo-machine";
	for (; words[count - 1] != NULL; count++) {
		line[count] = (char *)(uintptr_t)words[count - 1];
	}
	line[count] = NULL;
	return cli_parse(count, line, call, err);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_refused(const char *const *words, const char *part)
{
	struct bm_error err = BM_ERROR_INIT;
	struct cli_call call;

	assert_int_equal(parse(&call, &err, words), -1);
	if (strstr(err.message, part) == NULL) {
		fail_msg("'%s' does not say '%s'", err.message, part);
	}
}

static void test_commands_are_alphabetical_and_explained(void **state)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		assert_non_null(commands[i].run);
		assert_non_null(commands[i].help);
		assert_true(strlen(commands[i].summary) > 10);
		assert_true(commands[i].least <= commands[i].most);
		assert_true(commands[i].least == 0 || commands[i].arguments != NULL);
		if (i > 0) {
			assert_true(strcmp(commands[i - 1].name, commands[i].name) < 0);
		}
	}
}

static void test_every_command_can_be_asked_for_help(void **state)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		struct bm_error err = BM_ERROR_INIT;
		struct cli_call call;
		char first[32];
		const char *second = strchr(commands[i].name, ' ');
		size_t length = strcspn(commands[i].name, " ");
		memcpy(first, commands[i].name, length);
		first[length] = '\0';
		if (commands[i].raw) {
			continue;
		}
		const char *const *words = second != NULL ? WORDS(first, second + 1, "--help")
							  : WORDS(first, "-h");
		assert_int_equal(parse(&call, &err, words), 0);
		assert_true(call.want_help);
		assert_ptr_equal(call.command, &commands[i]);
	}
}

static void test_an_empty_line_asks_for_help(void **state)
{
	struct bm_error err = BM_ERROR_INIT;
	struct cli_call call;

	(void)state;
	assert_int_equal(parse(&call, &err, (const char *const[]){NULL}), 0);
	assert_string_equal(call.command->name, "help");
}

static void test_options_may_stand_anywhere(void **state)
{
	struct bm_error err = BM_ERROR_INIT;
	struct cli_call call;

	(void)state;
	assert_int_equal(parse(&call, &err, WORDS("--runtime", "/a", "status", "--json")), 0);
	assert_string_equal(call.command->name, "status");
	assert_string_equal(call.runtime, "/a");
	assert_true(call.json);
	assert_int_equal(parse(&call, &err, WORDS("service", "--runtime=/b", "stop", "x")), 0);
	assert_string_equal(call.command->name, "service stop");
	assert_string_equal(call.runtime, "/b");
	assert_string_equal(call.words[0], "x");
}

static void test_the_environment_gives_the_folders(void **state)
{
	struct bm_error err = BM_ERROR_INIT;
	struct cli_call call;

	(void)state;
	unsetenv("BUCARDO_MACHINE_RUNTIME");
	assert_int_equal(parse(&call, &err, WORDS("status")), 0);
	assert_string_equal(call.runtime, "/run/bucardo-machine");
	setenv("BUCARDO_MACHINE_RUNTIME", "/c", 1);
	assert_int_equal(parse(&call, &err, WORDS("status")), 0);
	assert_string_equal(call.runtime, "/c");
	assert_int_equal(parse(&call, &err, WORDS("status", "--runtime", "/d")), 0);
	assert_string_equal(call.runtime, "/d");
	setenv("BUCARDO_MACHINE_RUNTIME", "", 1);
	assert_int_equal(parse(&call, &err, WORDS("status")), 0);
	assert_string_equal(call.runtime, "/run/bucardo-machine");
	unsetenv("BUCARDO_MACHINE_RUNTIME");
}

static void test_wrong_lines_are_refused_with_the_reason(void **state)
{
	(void)state;
	assert_refused(WORDS("statu"), "no command 'statu'");
	assert_refused(WORDS("service"), "one more word: list, restart, start, stop");
	assert_refused(WORDS("service", "kill"), "no command 'service kill'");
	assert_refused(WORDS("service", "stop"), "'service stop' needs NAME");
	assert_refused(WORDS("service", "stop", "a", "b"), "does not expect the word 'b'");
	assert_refused(WORDS("status", "--strict"), "'status' takes no option --strict");
	assert_refused(WORDS("status", "--jsn"), "unknown option '--jsn'");
	assert_refused(WORDS("status", "-x"), "unknown option");
	assert_refused(WORDS("status", "--runtime"), "'--runtime' needs a value");
	assert_refused(WORDS("status", "--runtime", ""), "--runtime needs a path");
	assert_refused(WORDS("health"), "'health' needs live|ready");
	assert_refused(WORDS("status", "--", "psql"), "'status' takes nothing after --");
	assert_refused(WORDS("--log-level", "loud"), "--log-level cannot be 'loud'");
	assert_refused(WORDS("--log-format", "xml"), "--log-format cannot be 'xml'");
}

static void test_the_first_word_after_run_begins_the_command(void **state)
{
	struct bm_error err = BM_ERROR_INIT;
	struct cli_call call;

	(void)state;
	assert_int_equal(parse(&call, &err, WORDS("run", "--strict")), 0);
	assert_true(call.strict);
	assert_null(call.child);
	assert_int_equal(parse(&call, &err,
					 WORDS("run", "--runtime", "/a", "psql", "--help", "--",
							 "x")),
			0);
	assert_string_equal(call.runtime, "/a");
	assert_false(call.want_help);
	assert_string_equal(call.child[0], "psql");
	assert_string_equal(call.child[2], "--");
	assert_int_equal(parse(&call, &err, WORDS("run", "--", "--strict", "x")), 0);
	assert_false(call.strict);
	assert_string_equal(call.child[0], "--strict");
	assert_int_equal(parse(&call, &err, WORDS("run", "--help")), 0);
	assert_true(call.want_help);
	assert_refused(WORDS("run", "--"), "'run --' needs a command to run");
	assert_refused(WORDS("run", "--json"), "'run' takes no option --json");
	assert_refused(WORDS("--strict", "run", "psql"), "put -- before a command");
}

static void test_run_of_a_command_of_ours_runs_ourselves(void **state)
{
	struct bm_error err = BM_ERROR_INIT;
	struct cli_call call;

	(void)state;
	assert_int_equal(parse(&call, &err, WORDS("run", "status", "--json")), 0);
	assert_string_equal(call.child[0], "/proc/self/exe");
	assert_string_equal(call.child[1], "status");
	assert_string_equal(call.child[2], "--json");
	assert_int_equal(parse(&call, &err, WORDS("run", "config", "check")), 0);
	assert_string_equal(call.child[1], "config");
	assert_int_equal(parse(&call, &err, WORDS("run", "--", "status")), 0);
	assert_string_equal(call.child[0], "status");
	assert_int_equal(parse(&call, &err, WORDS("run", "stat")), 0);
	assert_string_equal(call.child[0], "stat");
	assert_int_equal(parse(&call, &err, WORDS("run", "run", "--strict")), 0);
	assert_null(call.child);
	assert_true(call.strict);
}

static void test_clone_takes_two_databases_and_plain_numbers(void **state)
{
	struct bm_error err = BM_ERROR_INIT;
	struct cli_call call;

	(void)state;
	assert_int_equal(parse(&call, &err,
					 WORDS("clone", "--source", "dbname=a",
							 "--destination=dbname=b",
							 "--max-rate=2MB", "--jobs", "3",
							 "--chunk", "128", "--json",
							 "--accept-moments")),
			0);
	assert_true(call.accept_moments);
	assert_string_equal(call.source, "dbname=a");
	assert_string_equal(call.destination, "dbname=b");
	assert_int_equal(call.jobs, 3);
	assert_int_equal(call.max_rate, 2097152);
	assert_int_equal(call.chunk_mib, 128);
	assert_true(call.json);
	assert_refused(WORDS("clone", "--max-rate", "50"), "--max-rate: found '50', a number");
	assert_refused(WORDS("clone", "--jobs", "0"), "1 to 64");
	assert_refused(WORDS("clone", "--jobs", "65"), "1 to 64");
	assert_refused(WORDS("clone", "--jobs", "3x"), "'3x'");
	assert_refused(WORDS("clone", "--jobs", "-1"), "'-1'");
	assert_refused(WORDS("status", "--source", "dbname=a"), "--source");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_commands_are_alphabetical_and_explained),
			cmocka_unit_test(test_every_command_can_be_asked_for_help),
			cmocka_unit_test(test_an_empty_line_asks_for_help),
			cmocka_unit_test(test_options_may_stand_anywhere),
			cmocka_unit_test(test_the_environment_gives_the_folders),
			cmocka_unit_test(test_wrong_lines_are_refused_with_the_reason),
			cmocka_unit_test(test_the_first_word_after_run_begins_the_command),
			cmocka_unit_test(test_run_of_a_command_of_ours_runs_ourselves),
			cmocka_unit_test(test_clone_takes_two_databases_and_plain_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
