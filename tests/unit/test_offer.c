/* The Tab key: a table of what was typed, and of what is offered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "client/cli/command.h"
#include "client/manual/offer.h"

#define MOST 8

static const struct {
	const char *words[MOST]; /* to NULL */
	const char *offered;
} rows[] = {
		{{"stat"}, "status\n"},
		{{"config", "re"}, "reference\nreload\n"},
		{{"conf"}, "config\n"},
		{{"pause", ""}, "@migrations\n"},
		{{"pause", "app", ""}, ""},
		{{"service", "stop", "bu"}, "@units\n"},
		{{"accept", "app", "re"}, "resend\n"},
		{{"status", "--w"}, "--watch\n"},
		{{"status", "--watch", "--he"}, "--help\n"},
		{{"migrate", "app", "--until", "c"}, "capture\ncopy\n"},
		{{"migrate", "--until", "copy", ""}, "@migrations\n"},
		{{"run", "--volume", "x"}, "@files\n"},
		{{"clone", "--jobs", ""}, ""},
		{{"help", "fail"}, "failback\n"},
		{{"wor"}, ""},
		{{"nonsense", ""}, ""},
		{{"nonsense", "--"}, ""},
		{{"config", "nonsense", ""}, ""},
};

static void test_each_place_has_its_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
		struct bm_strbuf out = BM_STRBUF_INIT;
		const char *runtime = "here";
		size_t count = 0;
		while (count < MOST && rows[i].words[count] != NULL) {
			count++;
		}
		cli_offer((char *const *)(uintptr_t)rows[i].words, count, &runtime, &out);
		assert_string_equal(bm_strbuf_text(&out), rows[i].offered);
		assert_string_equal(runtime, "here");
		bm_strbuf_finish(&out);
	}
}

static void test_the_runtime_folder_that_was_typed_is_asked(void **state)
{
	char *words[] = {(char[]){"pause"}, (char[]){"--runtime"}, (char[]){"there"},
			(char[]){""}};
	struct bm_strbuf out = BM_STRBUF_INIT;
	const char *runtime = "here";

	(void)state;
	cli_offer(words, BM_COUNT_OF(words), &runtime, &out);
	assert_string_equal(bm_strbuf_text(&out), "@migrations\n");
	assert_string_equal(runtime, "there");
	bm_strbuf_finish(&out);
}

static void test_every_command_and_option_is_offered(void **state)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);
	char *nothing[] = {(char[]){""}};
	struct bm_strbuf out = BM_STRBUF_INIT;
	const char *runtime = "";

	(void)state;
	cli_offer(nothing, 1, &runtime, &out);
	for (size_t i = 0; i < count; i++) {
		char first[40];
		snprintf(first, sizeof(first), "%.*s\n", (int)strcspn(commands[i].name, " "),
				commands[i].name);
		bool for_people = commands[i].task != CLI_TASK_NONE;
		assert_int_equal(strstr(bm_strbuf_text(&out), first) != NULL, for_people);
	}
	bm_strbuf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_each_place_has_its_words),
			cmocka_unit_test(test_the_runtime_folder_that_was_typed_is_asked),
			cmocka_unit_test(test_every_command_and_option_is_offered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
