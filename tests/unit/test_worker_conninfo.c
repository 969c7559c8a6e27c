/* Connection parameters of a row of bucardo.db, and the request of a worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "worker/session/conninfo.h"
#include "base/protocol/observe_request.h"

static void build(const struct bm_conninfo_row *row, struct bm_conninfo *out)
{
	struct bm_error err = BM_ERROR_INIT;

	assert_int_equal(bm_conninfo_build(row, out, &err), 0);
	assert_null(out->keywords[out->count]);
}

static void assert_value(const struct bm_conninfo *info, const char *keyword, const char *value)
{
	const char *found = bm_conninfo_get(info, keyword);

	assert_non_null(found);
	assert_string_equal(found, value);
}

static void test_what_the_row_leaves_open_gets_limits(void **state)
{
	(void)state;
	const struct bm_conninfo_row row = {.host = "db",
			.port = "",
			.dbname = "app",
			.user = "me",
			.password = ""};
	struct bm_conninfo info;

	build(&row, &info);
	assert_value(&info, "host", "db");
	assert_value(&info, "user", "me");
	assert_value(&info, "connect_timeout", "5");
	assert_value(&info, "tcp_user_timeout", "8000");
	assert_value(&info, "keepalives_idle", "5");
	assert_value(&info, "application_name", "bucardo-machine observe");
	assert_null(bm_conninfo_get(&info, "port"));
	assert_null(bm_conninfo_get(&info, "password"));
	bm_conninfo_finish(&info);
}

static void test_dbconn_is_over_host_and_under_user_as_for_bucardo(void **state)
{
	(void)state;
	const struct bm_conninfo_row row = {.host = "a",
			.dbname = "app",
			.user = "me",
			.password = "pw",
			.dbconn = "sslmode=require;host=b;user=x;password=y;connect_timeout=3"};
	struct bm_conninfo info;

	build(&row, &info);
	assert_value(&info, "sslmode", "require");
	assert_value(&info, "host", "b");
	assert_value(&info, "user", "me");
	assert_value(&info, "password", "pw");
	assert_value(&info, "connect_timeout", "3");
	bm_conninfo_finish(&info);
}

static void test_quoted_values_of_dbconn_keep_their_semicolons(void **state)
{
	(void)state;
	const struct bm_conninfo_row row = {
			.dbconn = "options='-c a=1;b';sslrootcert='it\\'s;here'; sslmode=prefer;"};
	struct bm_conninfo info;

	build(&row, &info);
	assert_value(&info, "options", "-c a=1;b");
	assert_value(&info, "sslrootcert", "it's;here");
	assert_value(&info, "sslmode", "prefer");
	bm_conninfo_finish(&info);
}

static void test_a_dbconn_that_cannot_be_parsed_is_not_repeated(void **state)
{
	(void)state;
	static const char *const wrong[] = {
			"password hunter2", "nonsense=hunter2", "a='hunter2"};

	for (size_t i = 0; i < BM_COUNT_OF(wrong); i++) {
		const struct bm_conninfo_row row = {.dbconn = wrong[i]};
		struct bm_error err = BM_ERROR_INIT;
		struct bm_conninfo info;
		assert_int_equal(bm_conninfo_build(&row, &info, &err), -1);
		assert_int_equal(err.code, BM_ERR_CONFIG);
		assert_null(strstr(err.message, "hunter2"));
		bm_conninfo_finish(&info);
	}
}

static void test_copies_are_equal_until_a_value_differs(void **state)
{
	(void)state;
	struct bm_conninfo_row row = {.host = "db", .dbname = "app", .password = "one"};
	struct bm_conninfo first, copy, other;

	build(&row, &first);
	bm_conninfo_copy(&first, &copy);
	row.password = "two";
	build(&row, &other);
	assert_true(bm_conninfo_equal(&first, &copy));
	assert_false(bm_conninfo_equal(&first, &other));
	bm_conninfo_finish(&first);
	bm_conninfo_finish(&copy);
	bm_conninfo_finish(&other);
}

static void test_a_request_survives_the_way(void **state)
{
	(void)state;
	const struct bm_observe_request request = {
			.socket_dir = "/run/x", .interval_msec = 1000, .timeout_msec = 5000};
	struct bm_observe_request back;
	struct bm_error err = BM_ERROR_INIT;
	char *text = bm_observe_request_encode(&request);

	assert_int_equal(bm_observe_request_decode(text, strlen(text), &back, &err), 0);
	assert_string_equal(back.socket_dir, "/run/x");
	assert_int_equal(back.interval_msec, 1000);
	assert_int_equal(back.timeout_msec, 5000);
	free(text);
}

static void test_requests_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "{}", "[1]",
			"{\"v\":2,\"socket_dir\":\"/x\",\"interval_ms\":1000,\"timeout_ms\":1000}",
			"{\"v\":1,\"socket_dir\":\"x\",\"interval_ms\":1000,\"timeout_ms\":1000}",
			"{\"v\":1,\"socket_dir\":\"/x\",\"interval_ms\":0,\"timeout_ms\":1000}",
			"{\"v\":1,\"socket_dir\":\"/x\",\"interval_ms\":1000}"};

	for (size_t i = 0; i < BM_COUNT_OF(wrong); i++) {
		struct bm_observe_request request;
		struct bm_error err = BM_ERROR_INIT;
		assert_int_equal(bm_observe_request_decode(
						 wrong[i], strlen(wrong[i]), &request, &err),
				-1);
		assert_true(err.message[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_what_the_row_leaves_open_gets_limits),
			cmocka_unit_test(
					test_dbconn_is_over_host_and_under_user_as_for_bucardo),
			cmocka_unit_test(test_quoted_values_of_dbconn_keep_their_semicolons),
			cmocka_unit_test(test_a_dbconn_that_cannot_be_parsed_is_not_repeated),
			cmocka_unit_test(test_copies_are_equal_until_a_value_differs),
			cmocka_unit_test(test_a_request_survives_the_way),
			cmocka_unit_test(test_requests_that_make_no_sense_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
