/*
 * Whether a process that says nothing works, with real processes; driven by test_event.py. A
 * silence is half a second here, and the last resort is far, on a busy host too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/spawn.h"
#include "bucardo_machine/watchdog.h"

#define SILENCE_MSEC 500
#define LIMIT_MSEC 15000
#define PATIENCE_MSEC 20000

struct scene {
	struct bm_loop *loop;
	struct bm_watchdog *dog;
	struct bm_timer *end, *beat;
	pid_t pid;
	uint64_t begun_msec, reported_msec; /* told: 0 not */
	char why[160];
};

static void on_reported(void *ctx, const char *why)
{
	struct scene *scene = ctx;

	scene->reported_msec = bm_clock_msec() - scene->begun_msec;
	snprintf(scene->why, sizeof(scene->why), "%s", why);
	bm_loop_stop(scene->loop);
}

static void on_end(void *ctx)
{
	struct scene *scene = ctx;

	bm_loop_stop(scene->loop);
}

static void on_beat(void *ctx)
{
	struct scene *scene = ctx;

	bm_watchdog_received(scene->dog);
	bm_timer_arm(scene->beat, 100);
}

static void on_exit_of(void *ctx, pid_t pid, int status)
{
	(void)ctx;
	(void)pid;
	(void)status;
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct bm_error err = BM_ERROR_INIT;

	scene->loop = bm_loop_create(&err);
	scene->dog = bm_watchdog_create(
			scene->loop, SILENCE_MSEC, LIMIT_MSEC, on_reported, scene);
	scene->end = bm_timer_create(scene->loop, on_end, scene);
	scene->beat = bm_timer_create(scene->loop, on_beat, scene);
	*state = scene;
	return scene->loop == NULL;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	kill(-scene->pid, SIGKILL);
	bm_watchdog_close(scene->dog);
	bm_timer_close(scene->end);
	bm_timer_close(scene->beat);
	bm_loop_destroy(scene->loop);
	free(scene);
	return 0;
}

static void start(struct scene *scene, const char *script)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	struct bm_spawn spawn = BM_SPAWN_INIT;
	struct bm_error err = BM_ERROR_INIT;

	spawn.argv = argv;
	scene->pid = bm_spawn(scene->loop, &spawn, on_exit_of, scene, &err);
	assert_true(scene->pid > 0);
}

static void watch(struct scene *scene, uint64_t msec)
{
	scene->begun_msec = bm_clock_msec();
	bm_watchdog_watch(scene->dog, scene->pid);
	bm_timer_arm(scene->end, msec);
	bm_loop_run(scene->loop);
}

static void test_one_that_waits_for_what_does_not_come_is_told(void **state)
{
	struct scene *scene = *state;

	start(scene, "exec sleep 60");
	watch(scene, PATIENCE_MSEC);
	assert_in_range(scene->reported_msec, SILENCE_MSEC, LIMIT_MSEC - 1);
	assert_non_null(strstr(scene->why, "nothing shows that it works"));
}

static void test_one_that_was_stopped_does_not_work(void **state)
{
	struct scene *scene = *state;

	start(scene, "while :; do :; done");
	kill(scene->pid, SIGSTOP);
	watch(scene, PATIENCE_MSEC);
	assert_in_range(scene->reported_msec, SILENCE_MSEC, LIMIT_MSEC - 1);
}

static void test_one_that_works_has_until_the_last_resort(void **state)
{
	struct scene *scene = *state;

	bm_watchdog_close(scene->dog);
	scene->dog = bm_watchdog_create(
			scene->loop, SILENCE_MSEC, 3 * SILENCE_MSEC, on_reported, scene);
	start(scene, "while :; do :; done");
	watch(scene, PATIENCE_MSEC);
	assert_in_range(scene->reported_msec, 3 * SILENCE_MSEC, PATIENCE_MSEC);
	assert_non_null(strstr(scene->why, "works, but says nothing"));
}

static void test_what_it_started_works_for_it(void **state)
{
	struct scene *scene = *state;

	start(scene, "(while :; do :; done) & wait");
	watch(scene, 2 * SILENCE_MSEC);
	assert_int_equal(scene->reported_msec, 0);
}

static void test_one_that_only_looks_whether_something_has_come_does_not_work(void **state)
{
	struct scene *scene = *state;

	start(scene, "exec perl -e 'select(undef, undef, undef, 0.4) while 1'");
	watch(scene, PATIENCE_MSEC);
	assert_in_range(scene->reported_msec, SILENCE_MSEC, LIMIT_MSEC - 1);
}

static void test_one_that_speaks_is_left_alone(void **state)
{
	struct scene *scene = *state;

	start(scene, "exec sleep 60");
	bm_timer_arm(scene->beat, 100);
	watch(scene, 2 * SILENCE_MSEC);
	assert_int_equal(scene->reported_msec, 0);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
			SCENE(test_one_that_waits_for_what_does_not_come_is_told),
			SCENE(test_one_that_was_stopped_does_not_work),
			SCENE(test_one_that_works_has_until_the_last_resort),
			SCENE(test_what_it_started_works_for_it),
			SCENE(test_one_that_only_looks_whether_something_has_come_does_not_work),
			SCENE(test_one_that_speaks_is_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
