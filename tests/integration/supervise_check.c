/*
 * Programs and jobs with real processes; driven by test_event.py. The log goes to a
 * pipe that each test reads at its end, since output is what units pass on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bucardo_machine/job.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/lines.h"
#include "bucardo_machine/log.h"
#include "bucardo_machine/spawn.h"
#include "bucardo_machine/supervise.h"

#define LIMIT_MSEC 10000

struct scene {
	struct bm_loop *loop;
	struct bm_timer *limit;
	bool too_late;
	struct bm_program *program;
	enum bm_unit_state until; /* stop the loop in this state ... */
	int times;		  /* ... when it has been reached this often */
	struct bm_job_result result;
	char tail[4096];
	int log[2];
};

static void on_limit(void *ctx)
{
	struct scene *scene = ctx;

	scene->too_late = true;
	bm_loop_stop(scene->loop);
}

static int set_up(void **state)
{
	struct bm_error err = BM_ERROR_INIT;
	struct scene *scene = calloc(1, sizeof(*scene));

	/* What an earlier test's loop left unreaped when it was destroyed, or is just ending.
	 */
	for (int i = 0; i < 200 && waitpid(-1, NULL, WNOHANG) >= 0; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	assert_int_equal(bm_pipe(scene->log, &err), 0);
	bm_log_open(scene->log[1], BM_LOG_TEXT, false);
	scene->loop = bm_loop_create(&err);
	scene->limit = bm_timer_create(scene->loop, on_limit, scene);
	bm_timer_arm(scene->limit, LIMIT_MSEC);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	bm_program_close(scene->program);
	bm_timer_close(scene->limit);
	bm_loop_destroy(scene->loop);
	bm_log_open(STDERR_FILENO, BM_LOG_TEXT, true);
	close(scene->log[0]);
	close(scene->log[1]);
	free(scene);
	return 0;
}

static void on_changed(void *ctx, struct bm_unit *unit)
{
	struct scene *scene = ctx;

	if (bm_unit_state(unit) == scene->until && --scene->times == 0) {
		bm_loop_stop(scene->loop);
	}
}

static const struct bm_unit_policy policy = {
		.start_timeout_msec = 2000,
		.stop_gently_msec = 200,
		.stop_firmly_msec = 200,
		.backoff_first_msec = 50,
		.backoff_limit_msec = 100,
		.stable_after_msec = 60000,
};

static void create(struct scene *scene, struct bm_program_spec spec, const char *script)
{
	const char *argv[] = {"sh", "-c", script, NULL};

	spec.name = "thing";
	spec.argv = argv;
	spec.gentle_signal = spec.firm_signal = SIGTERM;
	spec.probe_interval_msec = 20;
	scene->program = bm_program_create(scene->loop, &spec, &policy, on_changed, scene);
	bm_unit_want(bm_program_unit(scene->program), true);
}

static void run_until(struct scene *scene, enum bm_unit_state until, int times)
{
	scene->until = until;
	scene->times = times;
	bm_loop_run(scene->loop);
	assert_false(scene->too_late);
}

/* The log so far; static storage. */
static const char *log_of(struct scene *scene)
{
	static char text[65536];
	ssize_t n = read(scene->log[0], text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static const struct bm_program_spec plain = {.probe = BM_PROBE_NONE};

static void test_a_killed_program_comes_back(void **state)
{
	struct scene *scene = *state;

	create(scene, plain, "exec sleep 100");
	run_until(scene, BM_UNIT_READY, 1);
	pid_t first = bm_program_pid(scene->program);
	kill(first, SIGKILL);
	run_until(scene, BM_UNIT_READY, 1);
	assert_int_not_equal(bm_program_pid(scene->program), first);
	struct bm_unit_view view = bm_unit_view(bm_program_unit(scene->program));
	assert_int_equal(view.restarts, 1);
	assert_string_equal(view.last_exit, "killed by SIGKILL");
}

static void test_a_restart_comes_on_time(void **state)
{
	struct scene *scene = *state;

	create(scene, plain, "exec sleep 100");
	run_until(scene, BM_UNIT_READY, 1);
	kill(bm_program_pid(scene->program), SIGKILL);
	run_until(scene, BM_UNIT_BACKOFF, 1);
	uint64_t due = bm_unit_view(bm_program_unit(scene->program)).retry_at_msec;
	run_until(scene, BM_UNIT_STARTING, 1);
	assert_true(bm_clock_msec() + 1 >= due); /* timers and clock round differently */
}

static void test_output_reaches_the_log_as_whole_lines_with_the_units_name(void **state)
{
	struct scene *scene = *state;

	create(scene, plain, "printf 'one\\ntwo' ; echo oops >&2; exit 3");
	run_until(scene, BM_UNIT_BACKOFF, 2);
	const char *text = log_of(scene);
	assert_non_null(strstr(text, "thing: one\n"));
	assert_non_null(strstr(text, "thing: twooops\n"));
	assert_non_null(strstr(text, "exit code 3"));
}

static void test_a_program_that_ignores_term_is_killed_with_all_it_started(void **state)
{
	struct scene *scene = *state;
	const char *probe[] = {"pgrep", "-f", "^sleep 98765$", NULL};

	create(scene, (struct bm_program_spec){.probe = BM_PROBE_EXEC, .probe_argv = probe},
			"trap '' TERM; sleep 98765 & while :; do sleep 1; done");
	run_until(scene, BM_UNIT_READY, 1);
	pid_t group = bm_program_pid(scene->program);
	bm_unit_want(bm_program_unit(scene->program), false);
	run_until(scene, BM_UNIT_DOWN, 1);
	while (waitpid(-1, NULL, 0) > 0) {
		/* its orphans are ours; one that was not killed would hold us up for a day */
	}
	assert_int_equal(kill(-group, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_string_equal(bm_unit_view(bm_program_unit(scene->program)).last_exit,
			"killed by SIGKILL");
}

static void test_a_stopped_program_hears_the_stop(void **state)
{
	struct scene *scene = *state;

	create(scene, plain, "exec sleep 100");
	run_until(scene, BM_UNIT_READY, 1);
	kill(bm_program_pid(scene->program), SIGSTOP);
	bm_unit_want(bm_program_unit(scene->program), false);
	run_until(scene, BM_UNIT_DOWN, 1);
	assert_string_equal(bm_unit_view(bm_program_unit(scene->program)).last_exit,
			"killed by SIGTERM");
}

static void test_a_missing_program_backs_off_and_says_why(void **state)
{
	struct scene *scene = *state;
	const char *argv[] = {"bm-no-such-program", NULL};
	struct bm_program_spec spec = {.name = "thing", .argv = argv};

	scene->program = bm_program_create(scene->loop, &spec, &policy, on_changed, scene);
	bm_unit_want(bm_program_unit(scene->program), true);
	struct bm_unit_view view = bm_unit_view(bm_program_unit(scene->program));
	assert_int_equal(view.state, BM_UNIT_BACKOFF);
	assert_non_null(strstr(view.why, "No such file or directory"));
	run_until(scene, BM_UNIT_BACKOFF, 1);
}

static void test_ready_by_tcp_waits_for_the_port(void **state)
{
	struct scene *scene = *state;
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	char text[64];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	getsockname(fd, (struct sockaddr *)&address, &size);
	snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(address.sin_port));
	create(scene, (struct bm_program_spec){.probe = BM_PROBE_TCP, .probe_tcp = text},
			"exec sleep 100");
	/* Bound but not listening: refused, until the limit of the start. */
	run_until(scene, BM_UNIT_STOPPING, 1);
	assert_int_equal(listen(fd, 5), 0);
	run_until(scene, BM_UNIT_READY, 1);
	close(fd);
}

static void test_ready_by_command_is_asked_until_it_exits_0(void **state)
{
	struct scene *scene = *state;
	char flag[] = "/tmp/bm-event-XXXXXX";
	const char *argv[] = {"test", "-s", flag, NULL};
	char script[128];

	close(mkstemp(flag));
	snprintf(script, sizeof(script), "sleep 0.1; echo up > %s; exec sleep 100", flag);
	create(scene, (struct bm_program_spec){.probe = BM_PROBE_EXEC, .probe_argv = argv},
			script);
	run_until(scene, BM_UNIT_READY, 1);
	assert_int_equal(truncate(flag, 0), 0);
	run_until(scene, BM_UNIT_STARTING, 1); /* asked again, and no longer answering */
	unlink(flag);
}

static void on_moment(void *ctx)
{
	bm_loop_stop(((struct scene *)ctx)->loop);
}

static void test_a_stalled_reader_of_the_log_never_stops_the_loop(void **state)
{
	struct scene *scene = *state;
	bool told = false;

	create(scene, plain, "exec yes a line of some length that fills a pipe");
	struct bm_timer *moment = bm_timer_create(scene->loop, on_moment, scene);
	for (int turn = 0; bm_log_dropped() == 0 && turn < 500; turn++) {
		bm_timer_arm(moment, 10);
		bm_loop_run(scene->loop);
	}
	assert_true(bm_log_dropped() > 0);
	bm_program_close(scene->program);
	scene->program = NULL;
	/* Now it reads again: the loop empties the ring, and every line is whole. */
	for (int turn = 0; turn < 500 && (bm_log_pending() > 0 || !told); turn++) {
		const char *text = log_of(scene);
		told = told || strstr(text, "were dropped") != NULL;
		bm_log(BM_LOG_INFO, "test", NULL, "another line");
		bm_timer_arm(moment, 10);
		bm_loop_run(scene->loop);
	}
	bm_timer_close(moment);
	assert_int_equal(bm_log_pending(), 0);
	assert_true(told);
}

static void on_job(void *ctx, const struct bm_job_result *result)
{
	struct scene *scene = ctx;

	scene->result = *result;
	snprintf(scene->tail, sizeof(scene->tail), "%s", result->tail);
	bm_loop_stop(scene->loop);
}

static void run_job(struct scene *scene, const char *script, uint64_t limit_msec)
{
	const char *argv[] = {"sh", "-c", script, NULL};

	bm_job_start(scene->loop, "job", argv, NULL, NULL, limit_msec, on_job, scene);
	bm_loop_run(scene->loop);
	assert_false(scene->too_late);
}

static void test_a_job_gives_its_status_and_last_words(void **state)
{
	struct scene *scene = *state;

	run_job(scene, "echo out; echo err >&2; exit 4", 5000);
	assert_int_equal(scene->result.error.code, BM_ERR_NONE);
	assert_int_equal(WEXITSTATUS(scene->result.status), 4);
	assert_string_equal(scene->tail, "out\nerr\n");
}

static void test_a_jobs_last_words_are_bounded(void **state)
{
	struct scene *scene = *state;

	run_job(scene, "seq 100000", 5000);
	assert_in_range(strlen(scene->tail), 1900, 2048);
	assert_non_null(strstr(scene->tail, "\n99999\n100000\n"));
}

static void test_a_job_that_takes_too_long_is_ended_with_all_it_started(void **state)
{
	struct scene *scene = *state;

	run_job(scene, "trap '' TERM; sleep 100; sleep 100", 100);
	assert_int_equal(scene->result.error.code, BM_ERR_TIMEOUT);
	assert_int_equal(WTERMSIG(scene->result.status), SIGKILL);
	assert_in_range(scene->result.elapsed_msec, 2000, 6000);
}

static void test_a_job_does_not_wait_for_the_daemon_it_launched(void **state)
{
	struct scene *scene = *state;

	run_job(scene, "setsid sleep 3 & echo launched", 5000);
	assert_int_equal(scene->result.status, 0);
	assert_string_equal(scene->tail, "launched\n");
	assert_in_range(scene->result.elapsed_msec, 0, 2500);
}

static void test_a_job_that_cannot_start_says_so_from_the_loop(void **state)
{
	struct scene *scene = *state;
	const char *argv[] = {"bm-no-such-program", NULL};

	bm_job_start(scene->loop, "job", argv, NULL, NULL, 1000, on_job, scene);
	assert_int_equal(scene->result.error.code, BM_ERR_NONE);
	bm_loop_run(scene->loop);
	assert_int_equal(scene->result.error.code, BM_ERR_CONFIG);
	assert_int_equal(scene->result.error.os_errno, ENOENT);
}

/* Half a second of silence is enough here, the limit is far. */
static void run_watched(struct scene *scene, const char *script)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct bm_job *job = bm_job_start(
			scene->loop, "job", argv, NULL, NULL, 60000, on_job, scene);

	bm_job_watch(job, 500);
	bm_loop_run(scene->loop);
	assert_false(scene->too_late);
}

static void test_a_job_that_waits_for_nothing_is_ended_long_before_its_limit(void **state)
{
	struct scene *scene = *state;

	run_watched(scene, "sleep 60");
	assert_int_equal(scene->result.error.code, BM_ERR_TIMEOUT);
	assert_non_null(strstr(scene->result.error.message, "nothing shows that it works"));
}

static void test_a_job_that_works_in_silence_comes_to_its_end(void **state)
{
	struct scene *scene = *state;

	run_watched(scene, "i=0; while [ $i -lt 600000 ]; do i=$((i+1)); done; exit 5");
	assert_int_equal(scene->result.error.code, BM_ERR_NONE);
	assert_int_equal(WEXITSTATUS(scene->result.status), 5);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	struct bm_error err = BM_ERROR_INIT;
	const struct CMUnitTest tests[] = {
			SCENE(test_a_killed_program_comes_back),
			SCENE(test_a_restart_comes_on_time),
			SCENE(test_output_reaches_the_log_as_whole_lines_with_the_units_name),
			SCENE(test_a_program_that_ignores_term_is_killed_with_all_it_started),
			SCENE(test_a_stopped_program_hears_the_stop),
			SCENE(test_a_missing_program_backs_off_and_says_why),
			SCENE(test_ready_by_tcp_waits_for_the_port),
			SCENE(test_ready_by_command_is_asked_until_it_exits_0),
			SCENE(test_a_stalled_reader_of_the_log_never_stops_the_loop),
			SCENE(test_a_job_gives_its_status_and_last_words),
			SCENE(test_a_jobs_last_words_are_bounded),
			SCENE(test_a_job_that_takes_too_long_is_ended_with_all_it_started),
			SCENE(test_a_job_does_not_wait_for_the_daemon_it_launched),
			SCENE(test_a_job_that_cannot_start_says_so_from_the_loop),
			SCENE(test_a_job_that_waits_for_nothing_is_ended_long_before_its_limit),
			SCENE(test_a_job_that_works_in_silence_comes_to_its_end),
	};

	if (bm_event_begin(&err) != 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
