/* Help fits the screen, is grouped by task, and near misses are understood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "client/cli/command.h"
#include "client/terminal/text.h"

static size_t check_width(const char *text, size_t columns)
{
	size_t lines = 0;

	for (const char *line = text; *line != '\0'; lines++) {
		size_t length = strcspn(line, "\n");
		if (length > columns) {
			fail_msg("wider than %zu: %.*s", columns, (int)length, line);
		}
		line += length + (line[length] == '\n');
	}
	return lines;
}

static void test_the_list_is_grouped_by_task_and_fits_24_rows(void **state)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	(void)state;
	cli_text_set_columns(80);
	cli_render_help(&out);
	const char *text = bm_strbuf_text(&out);
	assert_true(check_width(text, 80) <= 23);
	static const char *const tasks[] = {"See      status [--watch]", "Migrate  ",
			"Copy     clone", "Machine  "};
	const char *at = text;
	for (size_t i = 0; i < BM_COUNT_OF(tasks); i++) {
		at = strstr(at, tasks[i]);
		assert_non_null(at);
	}
	assert_null(strstr(text, "worker"));
	bm_strbuf_clear(&out);
	cli_text_set_columns(60);
	cli_render_help(&out);
	check_width(bm_strbuf_text(&out), 60);
	cli_text_set_columns(0);
	bm_strbuf_finish(&out);
}

static void test_every_command_is_explained_within_the_screen(void **state)
{
	static const size_t widths[] = {80, 60};
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	(void)state;
	for (size_t w = 0; w < BM_COUNT_OF(widths); w++) {
		cli_text_set_columns(widths[w]);
		for (size_t i = 0; i < count; i++) {
			struct bm_strbuf out = BM_STRBUF_INIT;
			cli_render_usage(&commands[i], &out);
			check_width(bm_strbuf_text(&out), widths[w]);
			bm_strbuf_finish(&out);
		}
	}
	cli_text_set_columns(0);
}

static void test_lines_wrapped_by_hand_become_paragraphs(void **state)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	(void)state;
	cli_text_set_columns(60);
	cli_render_flowed("A text that was wrapped\nby hand.\n  --one   the first\n"
			  "          option\n  --two N   the second\nThe end.\n",
			&out);
	cli_text_set_columns(0);
	assert_string_equal(bm_strbuf_text(&out),
			"A text that was wrapped by hand.\n  --one   the first option\n"
			"  --two N   the second\nThe end.\n");
	bm_strbuf_finish(&out);
}

/* What `words` is refused with. */
static void assert_refused(char *first, char *second, char *third, const char *message)
{
	struct bm_error err = BM_ERROR_INIT;
	struct cli_call call;
	char program[] = "bucardo-machine";
	char *line[] = {program, first, second, third, NULL};
	int count = 1;

	while (line[count] != NULL) {
		count++;
	}
	assert_int_equal(cli_parse(count, line, &call, &err), -1);
	assert_string_equal(err.message, message);
}

static void test_a_near_miss_is_asked_about(void **state)
{
	char staus[] = "staus", wacth[] = "--wacth", status[] = "status", migrate[] = "migrate";
	char app[] = "app", until[] = "--until=indx", far[] = "frobnicate", plann[] = "plann";

	(void)state;
	assert_refused(staus, NULL, NULL,
			"there is no command 'staus'; did you mean 'status'?");
	assert_refused(plann, app, NULL, "there is no command 'plann'; did you mean 'plan'?");
	assert_refused(far, NULL, NULL, "there is no command 'frobnicate'");
	assert_refused(status, wacth, NULL,
			"unknown option '--wacth'; did you mean '--watch'?");
	assert_refused(migrate, app, until, "there is no phase 'indx'; did you mean 'index'?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_the_list_is_grouped_by_task_and_fits_24_rows),
			cmocka_unit_test(test_every_command_is_explained_within_the_screen),
			cmocka_unit_test(test_lines_wrapped_by_hand_become_paragraphs),
			cmocka_unit_test(test_a_near_miss_is_asked_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
