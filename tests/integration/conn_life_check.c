/* Servers that are none, closing and destroying at any moment, scripts; see test_postgres.py.
 */
#include "integration/conn_scene.h"

/* ---- servers that are none ---- */

/* A socket where PostgreSQL's would be. Its backlog holds one connection. */
static int listen_at(const char *folder)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	mkdir(folder, 0700);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", folder);
	unlink(address.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 0), 0);
	return fd;
}

static void use_conn_at(struct scene *scene, const char *folder)
{
	bm_conn_destroy(scene->conn);
	scene->downs = 0;
	scene->conn = make_conn(scene, folder);
	bm_conn_open(scene->conn);
}

static void test_a_full_backlog_never_stops_the_loop(void **state)
{
	struct scene *scene = *state;
	char folder[96];

	snprintf(folder, sizeof(folder), "%s/mute", paths.socket_dir);
	int listener = listen_at(folder);
	struct bm_conn *others[4];
	for (size_t i = 0; i < BM_COUNT_OF(others); i++) {
		others[i] = make_conn(scene, folder);
		bm_conn_open(others[i]);
	}
	use_conn_at(scene, folder);
	run_for(scene, 1200);
	assert_true(scene->downs >= 3);
	assert_true(scene->longest_pause < LATE_MSEC);
	for (size_t i = 0; i < BM_COUNT_OF(others); i++) {
		bm_conn_destroy(others[i]);
	}
	close(listener);
}

static void test_a_server_that_talks_nonsense_is_down(void **state)
{
	struct scene *scene = *state;
	char folder[96];

	snprintf(folder, sizeof(folder), "%s/mad", paths.socket_dir);
	int listener = listen_at(folder);
	use_conn_at(scene, folder);
	run_for(scene, 50);
	int client = accept(listener, NULL, NULL);
	assert_true(client >= 0);
	assert_int_equal(write(client, "HTTP/1.1 400 Bad Request\r\n\r\n", 28), 28);
	run_until(scene, &scene->downs, 1);
	assert_true(scene->reason[0] != '\0');
	close(client);
	close(listener);
}

static void test_a_folder_without_a_socket_is_told_at_each_attempt(void **state)
{
	struct scene *scene = *state;

	use_conn_at(scene, "/nonexistent");
	run_until(scene, &scene->downs, 5);
	assert_non_null(strstr(scene->reason, "/nonexistent"));
}

static void test_a_host_name_is_refused(void **state)
{
	struct scene *scene = *state;

	use_conn_at(scene, "db.example.com");
	run_until(scene, &scene->downs, 1);
	assert_non_null(strstr(scene->reason, "absolute path"));
}

/* ---- closing and destroying ---- */

static void test_closing_fails_what_is_pending_and_opening_works_again(void **state)
{
	struct scene *scene = *state;
	struct answer running = {0}, queued = {0};

	bm_conn_query(scene->conn, "SELECT pg_sleep(30)", NULL, 0, on_answer, &running);
	run_for(scene, 30);
	bm_conn_query(scene->conn, "SELECT 1", NULL, 0, on_answer, &queued);
	bm_conn_close(scene->conn);
	assert_int_equal(running.calls + queued.calls, 0);
	run_until(scene, &queued.calls, 1);
	assert_int_equal(running.code, BM_ERR_TRANSIENT);
	assert_int_equal(queued.code, BM_ERR_TRANSIENT);
	assert_int_equal(scene->downs, 0);
	run_for(scene, 100);
	assert_int_equal(scene->ups, 1);
	bm_conn_open(scene->conn);
	run_until(scene, &scene->ups, 2);
	assert_string_equal(ask(scene, "SELECT 5").value, "5");
}

static void test_it_may_be_destroyed_when_it_comes_up(void **state)
{
	struct scene *scene = *state;

	bm_conn_destroy(scene->conn);
	scene->destroy_at = BM_CONN_UP;
	open_conn(scene);
	run_for(scene, 50);
	assert_null(scene->conn);
}

static void test_it_may_be_destroyed_when_it_goes_down(void **state)
{
	struct scene *scene = *state;
	struct answer answer = {0};
	pid_t backend = backend_pid(scene);

	scene->destroy_at = BM_CONN_DOWN;
	bm_conn_query(scene->conn, "SELECT pg_sleep(30)", NULL, 0, on_answer, &answer);
	run_for(scene, 30);
	kill(backend, SIGTERM);
	run_until(scene, &scene->downs, 1);
	run_for(scene, 50);
	assert_int_equal(answer.calls, 0); /* no callback after the destruction */
}

static void test_it_may_be_destroyed_by_a_notification(void **state)
{
	struct scene *scene = *state;
	struct answer answer = {0};

	scene->destroy_at = BM_CONN_NOTICE;
	bm_conn_query(scene->conn, "NOTIFY bucardo_machine, '1'; NOTIFY bucardo_machine, '2'",
			NULL, 0, on_answer, &answer);
	run_until(scene, &scene->notices, 1);
	run_for(scene, 50);
	assert_int_equal(scene->notices, 1);
}

static void destroy_on_answer(void *ctx, const struct bm_result *result)
{
	struct scene *scene = ctx;

	(void)result;
	bm_conn_destroy(scene->conn);
	scene->conn = NULL;
	scene->notices++;
}

static void test_it_may_be_destroyed_by_an_answer(void **state)
{
	struct scene *scene = *state;
	struct answer never = {0};

	bm_conn_query(scene->conn, "SELECT 1", NULL, 0, destroy_on_answer, scene);
	bm_conn_query(scene->conn, "SELECT 2", NULL, 0, on_answer, &never);
	run_until(scene, &scene->notices, 1);
	run_for(scene, 50);
	assert_int_equal(never.calls, 0);
}

static void test_it_may_be_destroyed_by_a_failure(void **state)
{
	struct scene *scene = *state;
	struct answer never = {0};

	bm_conn_close(scene->conn);
	bm_conn_query(scene->conn, "SELECT 1", NULL, 0, destroy_on_answer, scene);
	bm_conn_query(scene->conn, "SELECT 2", NULL, 0, on_answer, &never);
	run_until(scene, &scene->notices, 1);
	run_for(scene, 50);
	assert_int_equal(never.calls, 0);
}

static void query_again(void *ctx, const struct bm_result *result)
{
	struct scene *scene = ctx;

	assert_null(result->error);
	if (++scene->notices < 500) {
		bm_conn_query(scene->conn, "SELECT 1", NULL, 0, query_again, scene);
	}
}

static void test_answers_may_ask_again_without_end(void **state)
{
	struct scene *scene = *state;

	bm_conn_query(scene->conn, "SELECT 1", NULL, 0, query_again, scene);
	run_until(scene, &scene->notices, 500);
}

/* ---- scripts ---- */

struct story {
	struct bm_strbuf text; /* what happened, a letter each */
	unsigned dones;
	struct bm_error err;
	bool failed, cancel_in_result;
	struct bm_script *script;
};

static bool skip_step(void *ctx, struct bm_strbuf *sql)
{
	struct story *story = ctx;

	(void)sql;
	bm_strbuf_putc(&story->text, '-');
	return false;
}

static bool build(void *ctx, struct bm_strbuf *sql)
{
	struct story *story = ctx;

	bm_strbuf_printf(sql, "SELECT '%s'", bm_strbuf_text(&story->text));
	return true;
}

static int note_result(void *ctx, const struct bm_result *result, struct bm_error *err)
{
	struct story *story = ctx;

	(void)err;
	bm_strbuf_printf(&story->text, "[%s]", bm_result_get(result, 0, 0));
	if (story->cancel_in_result) {
		bm_script_cancel(story->script);
	}
	return 0;
}

static int refuse(void *ctx, const struct bm_result *result, struct bm_error *err)
{
	(void)ctx;
	(void)result;
	return bm_error_set(err, BM_ERR_PRECONDITION, "too few");
}

static void on_done(void *ctx, const struct bm_error *err)
{
	struct story *story = ctx;

	story->dones++;
	story->failed = err != NULL;
	if (err != NULL) {
		story->err = *err;
	}
}

static void run_story(struct scene *scene, struct story *story, const struct bm_step *steps,
		size_t count)
{
	*story = (struct story){.dones = 0};
	story->script = bm_script_run(scene->conn, steps, count, story, on_done);
	assert_int_equal(story->dones, 0);
	run_until(scene, &story->dones, 1);
	run_for(scene, 30);
	assert_int_equal(story->dones, 1);
}

static void test_steps_run_in_order_and_may_be_skipped(void **state)
{
	static const struct bm_step steps[] = {
			{.name = "first", .sql = "SELECT 1", .on_result = note_result},
			{.name = "skipped", .build = skip_step, .on_result = note_result},
			{.name = "built", .build = build, .on_result = note_result},
			{.name = "last", .sql = "SELECT 4"},
	};
	struct story story;

	run_story(*state, &story, steps, BM_COUNT_OF(steps));
	assert_false(story.failed);
	assert_string_equal(bm_strbuf_text(&story.text), "[1]-[[1]-]");
	bm_strbuf_finish(&story.text);
}

static void test_a_refused_step_ends_the_script_and_is_named(void **state)
{
	static const struct bm_step steps[] = {
			{.name = "first", .sql = "SELECT 1", .on_result = note_result},
			{.name = "breaking things", .sql = "SELECT 1/0"},
			{.name = "never", .sql = "SELECT 3", .on_result = note_result},
	};
	struct story story;

	run_story(*state, &story, steps, BM_COUNT_OF(steps));
	assert_true(story.failed);
	assert_string_equal(story.err.message, "breaking things: division by zero");
	assert_string_equal(story.err.sqlstate, "22012");
	assert_string_equal(bm_strbuf_text(&story.text), "[1]");
	bm_strbuf_finish(&story.text);
}

static void test_a_step_may_dislike_its_result(void **state)
{
	static const struct bm_step steps[] = {
			{.name = "counting", .sql = "SELECT 0", .on_result = refuse},
	};
	struct story story;

	run_story(*state, &story, steps, BM_COUNT_OF(steps));
	assert_int_equal(story.err.code, BM_ERR_PRECONDITION);
	assert_string_equal(story.err.message, "counting: too few");
}

static void test_a_script_with_nothing_to_do_is_done_soon(void **state)
{
	static const struct bm_step steps[] = {{.name = "skipped", .build = skip_step}};
	struct story story;

	run_story(*state, &story, steps, BM_COUNT_OF(steps));
	assert_false(story.failed);
	bm_strbuf_finish(&story.text);
}

static void test_a_lost_connection_fails_the_script(void **state)
{
	static const struct bm_step steps[] = {
			{.name = "sleeping",
					.sql = "SELECT pg_terminate_backend(pg_backend_pid())"},
	};
	struct story story;

	run_story(*state, &story, steps, BM_COUNT_OF(steps));
	assert_int_equal(story.err.code, BM_ERR_TRANSIENT);
}

static void test_a_cancelled_script_says_nothing_more(void **state)
{
	static const struct bm_step steps[] = {
			{.name = "first", .sql = "SELECT 1", .on_result = note_result},
			{.name = "second", .sql = "SELECT 2", .on_result = note_result},
	};
	struct scene *scene = *state;
	struct story outside = {0}, inside = {.cancel_in_result = true};

	outside.script = bm_script_run(scene->conn, steps, 2, &outside, on_done);
	inside.script = bm_script_run(scene->conn, steps, 2, &inside, on_done);
	bm_script_cancel(outside.script);
	run_for(scene, 100);
	assert_string_equal(bm_strbuf_text(&outside.text), "");
	assert_string_equal(bm_strbuf_text(&inside.text), "[1]");
	assert_int_equal(outside.dones + inside.dones, 0);
	bm_strbuf_finish(&inside.text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			CHECK(test_a_full_backlog_never_stops_the_loop),
			CHECK(test_a_server_that_talks_nonsense_is_down),
			CHECK(test_a_folder_without_a_socket_is_told_at_each_attempt),
			CHECK(test_a_host_name_is_refused),
			CHECK(test_closing_fails_what_is_pending_and_opening_works_again),
			CHECK(test_it_may_be_destroyed_when_it_comes_up),
			CHECK(test_it_may_be_destroyed_when_it_goes_down),
			CHECK(test_it_may_be_destroyed_by_a_notification),
			CHECK(test_it_may_be_destroyed_by_an_answer),
			CHECK(test_it_may_be_destroyed_by_a_failure),
			CHECK(test_answers_may_ask_again_without_end),
			CHECK(test_steps_run_in_order_and_may_be_skipped),
			CHECK(test_a_refused_step_ends_the_script_and_is_named),
			CHECK(test_a_step_may_dislike_its_result),
			CHECK(test_a_script_with_nothing_to_do_is_done_soon),
			CHECK(test_a_lost_connection_fails_the_script),
			CHECK(test_a_cancelled_script_says_nothing_more),
	};
	return run_checks(argc, argv, tests, BM_COUNT_OF(tests));
}
