/* Statements, notifications, time limits and losses on a real server; see test_postgres.py. */
#include "integration/conn_scene.h"

/* ---- statements ---- */

static void test_parameters_and_nulls_come_and_go(void **state)
{
	struct scene *scene = *state;
	const char *const params[] = {"it's \\ \"größe\"", NULL};
	struct answer answer = {0};

	bm_conn_query(scene->conn, "SELECT $1::text, $2::text IS NULL", params, 2, on_answer,
			&answer);
	run_until(scene, &answer.calls, 1);
	assert_int_equal(answer.code, BM_ERR_NONE);
	assert_string_equal(answer.value, params[0]);
	assert_int_equal(answer.columns, 2);
	assert_true(ask(scene, "SELECT NULL").null);
	assert_false(ask(scene, "SELECT ''").null);
}

static void test_the_last_of_several_statements_counts(void **state)
{
	struct scene *scene = *state;

	assert_string_equal(ask(scene, "SELECT 1; SELECT 2; SELECT 'three'").value, "three");
	assert_int_equal(ask(scene, "SELECT 1 WHERE false").rows, 0);
	assert_int_equal(ask(scene, "").code, BM_ERR_NONE);
}

static void test_an_error_has_its_sqlstate_and_spoils_nothing(void **state)
{
	struct scene *scene = *state;
	struct answer answer = ask(scene, "SELECT 1; SELEKT 2; SELECT 3");

	assert_int_equal(answer.code, BM_ERR_SQL);
	assert_string_equal(answer.sqlstate, "42601");
	assert_non_null(strstr(answer.message, "syntax error"));
	answer = ask(scene, "SELECT 1/0");
	assert_string_equal(answer.sqlstate, "22012");
	assert_string_equal(ask(scene, "SELECT 4").value, "4");
	assert_int_equal(scene->downs, 0);
}

static void test_statements_run_in_the_order_they_came(void **state)
{
	struct scene *scene = *state;
	struct answer answers[50] = {0};

	ask(scene, "CREATE TEMP TABLE seen (at serial, n int)");
	for (int i = 0; i < 50; i++) {
		char sql[96];
		snprintf(sql, sizeof(sql), "INSERT INTO seen (n) VALUES (%d) RETURNING at", i);
		bm_conn_query(scene->conn, sql, NULL, 0, on_answer, &answers[i]);
	}
	run_until(scene, &answers[49].calls, 1);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(answers[i].calls, 1);
		assert_int_equal(strtol(answers[i].value, NULL, 10), i + 1);
	}
}

static void test_a_huge_statement_and_a_huge_answer_pass(void **state)
{
	struct scene *scene = *state;
	size_t size = (size_t)8 * 1024 * 1024;
	char *text = malloc(size + 1);
	const char *const params[] = {text};
	struct answer answer = {0};

	assert_non_null(text);
	memset(text, 'x', size);
	text[size] = '\0';
	bm_conn_query(scene->conn, "SELECT length($1), $1", params, 1, on_answer, &answer);
	run_until(scene, &answer.calls, 1);
	assert_int_equal(answer.code, BM_ERR_NONE);
	assert_int_equal(strtoul(answer.value, NULL, 10), size);
	free(text);
}

static void test_copy_ends_the_connection_and_not_the_program(void **state)
{
	struct scene *scene = *state;
	struct answer answer = ask(scene, "COPY pg_class TO STDOUT");

	assert_int_equal(answer.code, BM_ERR_INTERNAL);
	run_until(scene, &scene->ups, 2);
	assert_string_equal(ask(scene, "SELECT 1").value, "1");
}

/* ---- notifications ---- */

static void test_notifications_arrive_with_channel_and_payload(void **state)
{
	struct scene *scene = *state;

	ask(scene, "NOTIFY bucardo_machine, 'two words'");
	run_until(scene, &scene->notices, 1);
	assert_string_equal(scene->notice, "bucardo_machine two words");
	ask(scene, "NOTIFY \"Odd \"\"name\"\"\"");
	run_until(scene, &scene->notices, 2);
	assert_string_equal(scene->notice, "Odd \"name\"");
	ask(scene, "NOTIFY another_channel");
	run_for(scene, 50);
	assert_int_equal(scene->notices, 2);
}

/* ---- time limits ---- */

static void test_a_late_statement_is_cancelled_and_the_connection_stays(void **state)
{
	struct scene *scene = *state;
	pid_t before = backend_pid(scene);
	uint64_t start = bm_clock_msec();
	struct answer answer = ask(scene, "SELECT pg_sleep(30)");

	assert_int_equal(answer.code, BM_ERR_TIMEOUT);
	assert_string_equal(answer.sqlstate, "57014");
	assert_in_range(bm_clock_msec() - start, QUERY_LIMIT_MSEC - 10, 1500);
	assert_int_equal(backend_pid(scene), before);
	assert_int_equal(scene->downs, 0);
	assert_true(scene->longest_pause < LATE_MSEC);
}

static void test_a_stopped_backend_is_woken_and_cancelled(void **state)
{
	struct scene *scene = *state;
	pid_t backend = backend_pid(scene);

	kill(backend, SIGSTOP);
	struct answer answer = ask(scene, "SELECT pg_sleep(30)");
	assert_int_equal(answer.code, BM_ERR_TIMEOUT);
	assert_int_equal(backend_pid(scene), backend);
	assert_true(scene->longest_pause < LATE_MSEC);
}

static void wait_for_the_end_of(struct scene *scene, pid_t backend)
{
	uint64_t start = bm_clock_msec();

	while (kill(backend, 0) == 0 && bm_clock_msec() - start < LIMIT_MSEC) {
		run_for(scene, 20);
	}
	assert_int_equal(kill(backend, 0), -1);
}

static void test_a_statement_that_ignores_the_cancel_costs_the_connection(void **state)
{
	struct scene *scene = *state;
	struct answer second = {0}, first = {0};
	pid_t before = backend_pid(scene);

	bm_conn_query(scene->conn,
			"DO $$ BEGIN FOR i IN 1..60 LOOP BEGIN PERFORM pg_sleep(0.5);"
			" EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$",
			NULL, 0, on_answer, &first);
	bm_conn_query(scene->conn, "SELECT 1", NULL, 0, on_answer, &second);
	run_until(scene, &second.calls, 1);
	assert_int_equal(first.code, BM_ERR_TIMEOUT);
	assert_int_equal(second.code, BM_ERR_TRANSIENT);
	assert_int_equal(scene->downs, 1);
	run_until(scene, &scene->ups, 2);
	assert_int_not_equal(backend_pid(scene), before);
	wait_for_the_end_of(scene, before);
}

/* ---- losing it ---- */

static void test_a_killed_backend_fails_the_statement_and_reconnects(void **state)
{
	struct scene *scene = *state;
	struct answer running = {0}, queued = {0};
	pid_t backend = backend_pid(scene);

	bm_conn_query(scene->conn, "SELECT pg_sleep(30)", NULL, 0, on_answer, &running);
	bm_conn_query(scene->conn, "SELECT 1", NULL, 0, on_answer, &queued);
	run_for(scene, 50);
	kill(backend, SIGKILL);
	run_until(scene, &scene->downs, 1);
	run_until(scene, &queued.calls, 1);
	assert_int_equal(running.calls, 1);
	assert_int_equal(running.code, BM_ERR_TRANSIENT);
	assert_int_equal(queued.code, BM_ERR_TRANSIENT);
	run_until(scene, &scene->ups, 2);
	assert_string_equal(ask(scene, "SELECT 1").value, "1");
	assert_true(scene->longest_pause < LATE_MSEC);
}

static void test_the_servers_own_words_explain_the_loss(void **state)
{
	struct scene *scene = *state;

	struct answer answer = ask(scene, "SELECT pg_terminate_backend(pg_backend_pid())");
	assert_int_equal(answer.code, BM_ERR_TRANSIENT);
	assert_non_null(strstr(answer.message, "administrator command"));
	assert_null(strchr(scene->reason, '\n'));
	run_until(scene, &scene->ups, 2);
}

static void test_a_restart_of_the_server_is_down_and_up_again(void **state)
{
	struct scene *scene = *state;

	stop_server(scene, SIGINT);
	run_until(scene, &scene->downs, 5);
	assert_false(bm_conn_is_up(scene->conn));
	struct answer answer = ask(scene, "SELECT 1");
	assert_int_equal(answer.code, BM_ERR_TRANSIENT);
	assert_non_null(strstr(answer.message, ".s.PGSQL"));
	start_server(scene);
	run_until(scene, &scene->ups, 2);
	assert_string_equal(ask(scene, "SELECT 1").value, "1");
	assert_true(scene->longest_pause < LATE_MSEC);
}

static void test_a_stopped_postmaster_never_stops_the_loop(void **state)
{
	struct scene *scene = *state;
	unsigned before = scene->ups;

	kill(scene->server, SIGSTOP);
	kill(backend_pid(scene), SIGTERM); /* sessions live on without a postmaster */
	run_until(scene, &scene->downs, 2);
	assert_non_null(strstr(scene->reason, "does not answer"));
	run_for(scene, 1500);
	assert_true(scene->longest_pause < LATE_MSEC);
	kill(scene->server, SIGCONT);
	run_until(scene, &scene->ups, before + 1);
	assert_string_equal(ask(scene, "SELECT 1").value, "1");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			CHECK(test_parameters_and_nulls_come_and_go),
			CHECK(test_the_last_of_several_statements_counts),
			CHECK(test_an_error_has_its_sqlstate_and_spoils_nothing),
			CHECK(test_statements_run_in_the_order_they_came),
			CHECK(test_a_huge_statement_and_a_huge_answer_pass),
			CHECK(test_copy_ends_the_connection_and_not_the_program),
			CHECK(test_notifications_arrive_with_channel_and_payload),
			CHECK(test_a_late_statement_is_cancelled_and_the_connection_stays),
			CHECK(test_a_stopped_backend_is_woken_and_cancelled),
			CHECK(test_a_statement_that_ignores_the_cancel_costs_the_connection),
			CHECK(test_a_killed_backend_fails_the_statement_and_reconnects),
			CHECK(test_the_servers_own_words_explain_the_loss),
			CHECK(test_a_restart_of_the_server_is_down_and_up_again),
			CHECK(test_a_stopped_postmaster_never_stops_the_loop),
	};
	return run_checks(argc, argv, tests, BM_COUNT_OF(tests));
}
