/* A password file's mistakes are told by line, and never with what stands there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "bucardo_machine/macros.h"
#include "base/config/pgpass.h"

/* What is said about a file; valid until the next call. */
static const char *check(const char *text, size_t length)
{
	static struct bm_strbuf warnings = BM_STRBUF_INIT;

	bm_strbuf_finish(&warnings);
	bm_pgpass_check("f", text, length, &warnings);
	return bm_strbuf_text(&warnings);
}

static void test_good_files_pass_in_silence(void **state)
{
	(void)state;
	static const char *const good[] = {
			"h:5432:d:u:p\n", "h:5432:d:u:p", /* no newline at the end */
			"*:*:*:*:p\n", "# a comment\n\n   \nh:5432:d:u:p\n",
			"h:5432:d:u:p\\:q\\\\r\n", "h\\:x:5432:d:u:p\n",
			"fe80\\:\\:1:5432:d:u:p\n", "h:5432:d:u:p#not a comment\n",
			"h:5432:my db:u:p\n",
			"h:5432:d:u:p\\\n", /* a backslash at the end is itself */
	};

	for (size_t i = 0; i < BM_COUNT_OF(good); i++) {
		assert_string_equal(check(good[i], strlen(good[i])), "");
	}
}

static void test_each_mistake_is_told_with_its_line(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *said;
	} cases[] = {
			{"h:5432:d:u:p\nh:5432:d:hunter2\n",
					"f: line 2: has fewer than 5 fields"},
			{"hunter2", "f: line 1: has fewer than 5 fields"},
			{"h:5432:d:u\\:hunter2\n", "f: line 1: has fewer than 5 fields"},
			{"\nh:5432:d:u:hunter2:x\n", "f: line 2: has more than 5 fields"},
			{"h:5432:d:u:\n", "f: line 1: has no password after its fourth ':'"},
			{":5432:d:u:hunter2\n", "f: line 1: has an empty field"},
			{"h:d:5432:u:hunter2\n",
					"f: line 1: has a second field that is no port"},
			{"h:543210:d:u:hunter2\n",
					"f: line 1: has a second field that is no port"},
			{" h:5432:d:u:hunter2\n", "f: line 1: starts with a blank"},
			{"h:5432:d:u:hunter2 \n", "f: line 1: ends with a blank"},
			{"\xef\xbb\xbfh:5432:d:u:hunter2\n",
					"f: line 1: starts with a byte order"},
			{"h:5432:d:u:hunter2\r\n", "f: line 1: ends with CR LF"},
			{"", "f: has no entry"},
			{"# hunter2\n", "f: has no entry"},
	};

	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		const char *said = check(cases[i].text, strlen(cases[i].text));
		if (strstr(said, cases[i].said) == NULL) {
			fail_msg("wanted '%s', got '%s'", cases[i].said, said);
		}
		assert_null(strstr(said, "hunter2"));
	}
}

static void test_a_nul_byte_is_told(void **state)
{
	(void)state;
	assert_non_null(strstr(check("h:5432:d:u:p\0q\n", 15), "f: line 1: holds a NUL byte"));
}

static void test_windows_line_ends_are_told_once_and_are_no_other_mistake(void **state)
{
	(void)state;
	const char *text = "h:1:d:u:p\r\n\r\nh:2:d:u:p\r\n";

	assert_string_equal(check(text, strlen(text)),
			"f: line 1: ends with CR LF, which not every program takes; save the file "
			"with LF line ends\n");
}

static void test_many_mistakes_are_cut(void **state)
{
	(void)state;
	char text[200];

	memset(text, 'x', sizeof(text));
	for (size_t i = 1; i < sizeof(text); i += 2) {
		text[i] = '\n';
	}
	const char *said = check(text, sizeof(text));
	assert_non_null(strstr(said, "f: line 20: has fewer"));
	assert_null(strstr(said, "f: line 21: has fewer"));
	assert_non_null(strstr(said, "f: 80 more lines are not shown\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_good_files_pass_in_silence),
			cmocka_unit_test(test_each_mistake_is_told_with_its_line),
			cmocka_unit_test(test_a_nul_byte_is_told),
			cmocka_unit_test(
					test_windows_line_ends_are_told_once_and_are_no_other_mistake),
			cmocka_unit_test(test_many_mistakes_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
