/* Requests of the control socket: what is understood, and that nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "daemon/control/request.h"

static int parse(const char *line, struct bm_control_request *out)
{
	struct bm_error err = BM_ERROR_INIT;
	int rc = bm_control_parse(line, strlen(line), out, &err);

	assert_true(rc == 0 || (err.code != BM_ERR_NONE && err.message[0] != '\0'));
	return rc;
}

static void test_every_command_is_understood_by_its_name(void **state)
{
	static const char *const members =
			",\"what\":\"live\",\"verb\":\"stop\",\"unit\":\"x\",\"migration\":\"app\","
			"\"direction\":\"failback\",\"mode\":\"check\",\"receivers\":[]}";
	char line[256];

	(void)state;
	for (int i = 0; i < BM_CONTROL_COMMAND_COUNT; i++) {
		struct bm_control_request request;
		snprintf(line, sizeof(line), "{\"command\":\"%s\"%s",
				bm_control_command_name((enum bm_control_command)i), members);
		assert_int_equal(parse(line, &request), 0);
		assert_int_equal(request.command, i);
	}
}

static void test_what_a_cutover_is_asked_with_is_checked(void **state)
{
	struct bm_control_request request;
	static const char *const wrong[] = {
			"{\"command\":\"cutover\",\"migration\":\"app\",\"direction\":\"cutover\"}",
			"{\"command\":\"cutover\",\"migration\":\"app\",\"direction\":\"back\",\"mode\":\"run\"}",
			"{\"command\":\"cutover\",\"direction\":\"cutover\",\"mode\":\"run\"}",
			"{\"command\":\"cutover\",\"migration\":\"app\",\"direction\":\"cutover\",\"mode\":\"run\","
			"\"budget_msec\":5}",
			"{\"command\":\"cutover\",\"migration\":\"app\",\"direction\":\"cutover\",\"mode\":\"run\","
			"\"accept\":[1]}",
	};

	(void)state;
	assert_int_equal(
			parse("{\"command\":\"cutover\",\"migration\":\"app\",\"direction\":\"failback\","
			      "\"mode\":\"rehearse\",\"budget_msec\":400,\"accept\":[\"public.a\"]}",
					&request),
			0);
	assert_int_equal(request.change.phase, BM_PHASE_FAILBACK);
	assert_true(request.change.rehearses);
	assert_false(request.check);
	assert_int_equal(request.change.budget_msec, 400);
	assert_string_equal(request.accept, "[\"public.a\"]");
	for (size_t i = 0; i < BM_COUNT_OF(wrong); i++) {
		assert_int_equal(parse(wrong[i], &request), -1);
	}
}

static void test_members_arrive(void **state)
{
	struct bm_control_request request;

	(void)state;
	assert_int_equal(parse("{\"command\":\"service\",\"verb\":\"restart\",\"unit\":\"b\"}",
					 &request),
			0);
	assert_int_equal(request.verb, BM_SERVICE_RESTART);
	assert_string_equal(request.unit, "b");
	assert_int_equal(
			parse("{\"command\":\"events\",\"after\":7,\"follow\":true}", &request),
			0);
	assert_int_equal(request.after, 7);
	assert_true(request.follow);
	assert_int_equal(parse("{\"command\":\"status\",\"brief\":true}", &request), 0);
	assert_true(request.brief);
	assert_int_equal(parse("{\"command\":\"status\"}", &request), 0);
	assert_false(request.brief);
	assert_int_equal(parse("{\"command\":\"status\",\"brief\":1}", &request), -1);
	assert_int_equal(parse("{\"command\":\"health\",\"what\":\"ready\"}", &request), 0);
	assert_true(request.ready);
	assert_int_equal(
			parse("{\"command\":\"migrate\",\"migration\":\"app\",\"until\":\"copy\"}",
					&request),
			0);
	assert_string_equal(request.migration, "app");
	assert_int_equal(request.until, BM_PHASE_COPY);
	assert_int_equal(parse("{\"command\":\"migrate\",\"migration\":\"app\"}", &request), 0);
	assert_int_equal(request.until, BM_PHASE_REPLICATE);
	assert_int_equal(parse("{\"command\":\"plan\",\"migration\":\"app\",\"fix\":true}",
					 &request),
			0);
	assert_true(request.fix);
	assert_int_equal(parse("{\"command\":\"migrate\",\"migration\":\"app\","
			       "\"until\":\"party\"}",
					 &request),
			-1);
	assert_int_equal(parse("{\"command\":\"pause\"}", &request), -1);
}

static void test_how_receivers_stand_is_checked_and_bounded(void **state)
{
	static const char *const wrong[] = {
			"{\"command\":\"notified\"}",
			"{\"command\":\"notified\",\"receivers\":{}}",
			"{\"command\":\"notified\",\"receivers\":[{}]}",
			"{\"command\":\"notified\",\"receivers\":[{\"name\":\"a\",\"why\":1}]}",
			"{\"command\":\"notified\",\"receivers\":[{\"name\":\"a\",\"failures\":-1}]}",
	};
	struct bm_control_request request;
	char line[8192] = "{\"command\":\"notified\",\"receivers\":[";

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(wrong); i++) {
		assert_int_equal(parse(wrong[i], &request), -1);
	}
	for (int i = 0; i < BM_RECEIVERS_MOST; i++) {
		size_t used = strlen(line);
		snprintf(line + used, sizeof(line) - used,
				"%s{\"name\":\"n%d\",\"kind\":\"command\",\"failures\":%d,"
				"\"delivered_at\":null,\"why\":\"%0400d\"}",
				i > 0 ? "," : "", i, i, 1);
	}
	size_t used = strlen(line);
	snprintf(line + used, sizeof(line) - used, "]}");
	assert_int_equal(parse(line, &request), 0);
	assert_int_equal(request.receiver_count, BM_RECEIVERS_MOST);
	assert_string_equal(request.receivers[15].name, "n15");
	assert_int_equal(request.receivers[15].failures, 15);
	assert_string_equal(request.receivers[15].delivered_at, "");
	assert_int_equal(strlen(request.receivers[15].why),
			sizeof(request.receivers[15].why) - 1);
	snprintf(line + used, sizeof(line) - used, ",{\"name\":\"one more\"}]}");
	assert_int_equal(parse(line, &request), -1);
}

static void test_members_of_later_versions_are_ignored(void **state)
{
	struct bm_control_request request;

	(void)state;
	assert_int_equal(parse("{\"command\":\"status\",\"colour\":[1,{}]}", &request), 0);
}

static void test_what_is_no_request_is_refused(void **state)
{
	static const char *const lines[] = {
			"",
			"status",
			"[]",
			"{",
			"{}",
			"{\"command\":1}",
			"{\"command\":\"STATUS\"}",
			"{\"command\":\"status\",\"command\":\"status\"}",
			"{\"command\":\"sta\\u0000tus\"}",
			"{\"command\":\"status\"} x",
			"\xff\xfe{\"command\":\"status\"}",
			"{\"command\":\"health\"}",
			"{\"command\":\"health\",\"what\":\"well\"}",
			"{\"command\":\"service\",\"verb\":\"kill\",\"unit\":\"x\"}",
			"{\"command\":\"service\",\"verb\":\"stop\"}",
			"{\"command\":\"service\",\"verb\":\"stop\",\"unit\":\"\"}",
			"{\"command\":\"service\",\"verb\":\"stop\",\"unit\":5}",
			"{\"command\":\"events\",\"after\":-1}",
			"{\"command\":\"events\",\"after\":99999999999999999999}",
			"{\"command\":\"events\",\"after\":\"x\"}",
			"{\"command\":\"events\",\"follow\":1}",
	};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(lines); i++) {
		struct bm_control_request request;
		if (parse(lines[i], &request) == 0) {
			fail_msg("this was accepted: %s", lines[i]);
		}
	}
}

static void test_a_name_longer_than_any_unit_is_refused_not_cut(void **state)
{
	struct bm_control_request request;
	char line[512];

	(void)state;
	snprintf(line, sizeof(line),
			"{\"command\":\"service\",\"verb\":\"stop\",\"unit\":\"%0*d\"}",
			BM_CONTROL_NAME_BYTES, 0);
	assert_int_equal(parse(line, &request), -1);
	snprintf(line, sizeof(line),
			"{\"command\":\"service\",\"verb\":\"stop\",\"unit\":\"%0*d\"}",
			BM_CONTROL_NAME_BYTES - 1, 0);
	assert_int_equal(parse(line, &request), 0);
}

static void test_deep_nesting_is_refused(void **state)
{
	size_t length = BM_CONTROL_LIMIT_BYTES;
	struct bm_error err = BM_ERROR_INIT;
	struct bm_control_request request;
	char *line = malloc(length);

	(void)state;
	memset(line, '[', length);
	assert_int_equal(bm_control_parse(line, length, &request, &err), -1);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_every_command_is_understood_by_its_name),
			cmocka_unit_test(test_what_a_cutover_is_asked_with_is_checked),
			cmocka_unit_test(test_members_arrive),
			cmocka_unit_test(test_how_receivers_stand_is_checked_and_bounded),
			cmocka_unit_test(test_members_of_later_versions_are_ignored),
			cmocka_unit_test(test_what_is_no_request_is_refused),
			cmocka_unit_test(test_a_name_longer_than_any_unit_is_refused_not_cut),
			cmocka_unit_test(test_deep_nesting_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
