/* How a process ended must read the same in logs, in status and to a shell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>

#include "bucardo_machine/spawn.h"

static void test_an_exit_code_is_told_as_a_number(void **state)
{
	char text[BM_EXIT_TEXT_SIZE];

	(void)state;
	assert_string_equal(bm_exit_text(W_EXITCODE(3, 0), text), "exit code 3");
	assert_string_equal(bm_exit_text(W_EXITCODE(0, 0), text), "exit code 0");
}

static void test_a_signal_is_told_by_its_name(void **state)
{
	char text[BM_EXIT_TEXT_SIZE];

	(void)state;
	assert_string_equal(bm_exit_text(W_EXITCODE(0, SIGKILL), text), "killed by SIGKILL");
	assert_string_equal(bm_exit_text(W_EXITCODE(0, SIGSEGV) | WCOREFLAG, text),
			"killed by SIGSEGV (core dumped)");
}

static void test_a_signal_without_a_name_is_told_by_its_number(void **state)
{
	char text[BM_EXIT_TEXT_SIZE];

	(void)state;
	assert_string_equal(bm_exit_text(W_EXITCODE(0, 40), text), "killed by signal 40");
}

static void test_the_code_is_what_a_shell_would_give(void **state)
{
	(void)state;
	assert_int_equal(bm_exit_code(W_EXITCODE(0, 0)), 0);
	assert_int_equal(bm_exit_code(W_EXITCODE(255, 0)), 255);
	assert_int_equal(bm_exit_code(W_EXITCODE(0, SIGTERM)), 143);
	assert_int_equal(bm_exit_code(W_EXITCODE(0, SIGKILL)), 137);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_an_exit_code_is_told_as_a_number),
			cmocka_unit_test(test_a_signal_is_told_by_its_name),
			cmocka_unit_test(test_a_signal_without_a_name_is_told_by_its_number),
			cmocka_unit_test(test_the_code_is_what_a_shell_would_give),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
