/* Orders and the class of an error: the pure parts of `worker phase`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "bucardo_machine/hints.h"
#include "bucardo_machine/macros.h"
#include "worker/phases/phase.h"
#include "worker/session/phase_request.h"
#include "base/protocol/report.h"

#define END "{\"host\":\"h\",\"port\":5432,\"dbname\":\"d\",\"user\":\"u\"}"
#define REQUEST(name, ends)                                                                    \
	"{\"v\":1,\"phase\":\"capture\",\"control\":{\"socket_dir\":\"/run/x\"},"              \
	"\"migration\":{\"name\":\"" name "\"," ends ","                                       \
	"\"direction\":\"forward\",\"copy\":{\"jobs\":3}},\"fix\":true}"
#define BOTH_ENDS "\"source\":" END ",\"destination\":" END

#define CUTOVER(members)                                                                       \
	"{\"v\":1,\"phase\":\"cutover\"," members                                              \
	"\"control\":{\"socket_dir\":\"/run/x\"},\"migration\":{\"name\":\"app\"," BOTH_ENDS   \
	"}}"

static int decode(const char *text, struct bm_phase_request *request, struct bm_error *err)
{
	return bm_phase_request_decode(text, strlen(text), request, err);
}

static void test_a_request_is_read(void **state)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_phase_request request;

	(void)state;
	assert_int_equal(decode(REQUEST("app", BOTH_ENDS), &request, &err), 0);
	assert_string_equal(request.phase, "capture");
	assert_string_equal(request.socket_dir, "/run/x");
	assert_string_equal(request.destination.host, "h");
	assert_int_equal(request.source.port, 5432);
	assert_null(request.source.sslmode);
	assert_false(request.is_both);
	assert_true(request.fix);
	assert_int_equal(request.jobs, 3);
	assert_null(request.filter.include);
	bm_phase_request_finish(&request);
	assert_int_equal(decode(REQUEST("app",
						BOTH_ENDS ",\"tables\":{\"exclude\":[\"a.b\","
							  "\"c.*\"]}"),
					 &request, &err),
			0);
	assert_string_equal(request.filter.exclude[1], "c.*");
	assert_null(request.filter.exclude[2]);
	bm_phase_request_finish(&request);
}

static void test_a_wrong_request_is_refused(void **state)
{
	static const char *const wrong[] = {
			"",
			"[]",
			"{\"v\":2}",
			"{\"v\":1,\"phase\":\"copy\"}",
			REQUEST("app", "\"source\":" END),
			REQUEST("App-1", BOTH_ENDS),
			REQUEST("a23456789012345678901234567890123", BOTH_ENDS),
			REQUEST("app", "\"source\":{\"host\":\"h\",\"port\":0},\"destination\":" END),
			/* An attempt that does something has a number, and none is begun by
			   mistake. */
			CUTOVER(""),
			CUTOVER("\"mode\":\"now\",\"number\":1,"),
			CUTOVER("\"mode\":\"run\","),
	};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(wrong); i++) {
		struct bm_error err = BM_ERROR_INIT;
		struct bm_phase_request request;
		if (decode(wrong[i], &request, &err) != -1 || err.code != BM_ERR_CONFIG) {
			fail_msg("taken: %s", wrong[i]);
		}
		bm_phase_request_finish(&request);
	}
}

static void test_a_cutover_says_how_far_it_goes(void **state)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_phase_request request;

	(void)state;
	assert_int_equal(
			decode(CUTOVER("\"mode\":\"rehearse\",\"number\":7,\"budget_msec\":400,"
				       "\"quiesce\":\"manual\",\"accept\":[\"public.a\"],"),
					&request, &err),
			0);
	assert_int_equal(request.cutover.mode, BM_CUTOVER_REHEARSE);
	assert_int_equal(request.cutover.number, 7);
	assert_int_equal(request.cutover.budget_msec, 400);
	assert_true(request.cutover.is_manual);
	assert_string_equal(request.cutover.accept[0], "public.a");
	assert_null(request.cutover.accept[1]);
	bm_phase_request_finish(&request);
	assert_int_equal(decode(CUTOVER("\"mode\":\"check\","), &request, &err), 0);
	assert_int_equal(request.cutover.mode, BM_CUTOVER_CHECK);
	assert_int_equal(request.cutover.budget_msec, BM_CUTOVER_BUDGET_MSEC);
	assert_false(request.cutover.is_manual);
	assert_null(request.cutover.accept);
	bm_phase_request_finish(&request);
}

static void test_an_error_says_who_has_to_act(void **state)
{
	static const struct {
		enum bm_error_code code;
		const char *sqlstate, *class;
	} cases[] = {
			{BM_ERR_TRANSIENT, "", "transient"},
			{BM_ERR_TIMEOUT, "", "transient"},
			{BM_ERR_IO, "", "transient"},
			{BM_ERR_CONFIG, "", "operator"},
			{BM_ERR_PRECONDITION, "", "operator"},
			{BM_ERR_INTERNAL, "", "internal"},
			{BM_ERR_SQL, "42501", "operator"},
			{BM_ERR_SQL, "55P03", "transient"},
			{BM_ERR_SQL, "40001", "transient"},
			{BM_ERR_SQL, "53100", "operator"},
			{BM_ERR_SQL, "53300", "transient"},
			{BM_ERR_SQL, "25006", "transient"},
			{BM_ERR_SQL, "23505", "operator"},
	};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		struct bm_error err = {.code = cases[i].code};
		snprintf(err.sqlstate, sizeof(err.sqlstate), "%s", cases[i].sqlstate);
		assert_string_equal(bm_failure_name(bm_failure_of(&err)), cases[i].class);
	}
}

static void test_two_sessions_that_change_a_function_at_a_time_are_no_matter_for_a_person(
		void **state)
{
	struct bm_error err = {.code = BM_ERR_SQL, .sqlstate = "XX000"};

	(void)state;
	snprintf(err.message, sizeof(err.message), "ERROR:  tuple concurrently updated");
	assert_int_equal(bm_failure_of(&err), BM_FAILURE_TRANSIENT);
	snprintf(err.message, sizeof(err.message),
			"ERROR:  cache lookup failed for function 7");
	assert_int_equal(bm_failure_of(&err), BM_FAILURE_OPERATOR);
	snprintf(err.sqlstate, sizeof(err.sqlstate), "42710");
	snprintf(err.message, sizeof(err.message),
			"ERROR:  type \"delta_public_Odd Name\" already exists");
	assert_int_equal(bm_failure_of(&err), BM_FAILURE_TRANSIENT);
	snprintf(err.message, sizeof(err.message), "ERROR:  type \"mood\" already exists");
	assert_int_equal(bm_failure_of(&err), BM_FAILURE_OPERATOR);
	snprintf(err.sqlstate, sizeof(err.sqlstate), "23505");
	snprintf(err.message, sizeof(err.message),
			"ERROR:  duplicate key value violates unique "
			"constraint \"pg_type_typname_nsp_index\"");
	assert_int_equal(bm_failure_of(&err), BM_FAILURE_TRANSIENT);
	snprintf(err.sqlstate, sizeof(err.sqlstate), "38000");
	snprintf(err.message, sizeof(err.message),
			"ERROR:  DBD::Pg::db do failed: ERROR:  duplicate key value violates "
			"unique constraint \"pg_proc_proname_args_nsp_index\"");
	assert_int_equal(bm_failure_of(&err), BM_FAILURE_TRANSIENT);
	snprintf(err.message, sizeof(err.message), "ERROR:  Table has no primary key: t");
	assert_int_equal(bm_failure_of(&err), BM_FAILURE_OPERATOR);
}

static void test_the_control_database_is_reached_as_itself_and_not_as_the_destination(
		void **state)
{
	(void)state;
	const struct bm_phase phase = {.request = {.socket_dir = "/run/x",
						       .source = {.host = "a", .port = 1},
						       .destination = {.host = "b",
								       .port = 2,
								       .dbname = "app",
								       .user = "u",
								       .sslmode = "verify-full",
								       .sslrootcert = "/ca"}}};
	struct bm_conninfo info = {0};

	assert_string_equal(bm_phase_endpoint(&phase, BM_SIDE_SOURCE)->host, "a");
	assert_string_equal(bm_phase_endpoint(&phase, BM_SIDE_DESTINATION)->host, "b");
	assert_null(bm_phase_endpoint(&phase, BM_SIDE_CONTROL)->host);
	bm_phase_conninfo(&phase, BM_SIDE_CONTROL, &info);
	assert_string_equal(bm_conninfo_get(&info, "host"), "/run/x");
	assert_string_equal(bm_conninfo_get(&info, "dbname"), "bucardo");
	assert_null(bm_conninfo_get(&info, "sslmode"));
	bm_conninfo_finish(&info);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_the_control_database_is_reached_as_itself_and_not_as_the_destination),
			cmocka_unit_test(test_a_request_is_read),
			cmocka_unit_test(test_a_wrong_request_is_refused),
			cmocka_unit_test(test_a_cutover_says_how_far_it_goes),
			cmocka_unit_test(test_an_error_says_who_has_to_act),
			cmocka_unit_test(
					test_two_sessions_that_change_a_function_at_a_time_are_no_matter_for_a_person),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
