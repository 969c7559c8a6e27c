/* The pool's main thread: threads that cannot start, and a wall clock that jumps. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "worker/transfer/pool.h"

static unsigned started, may_start;
static unsigned told;
static long wall_jump_sec;

/* In place of the C library's: as many threads as the test allows. */
int pthread_create(
		pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *ctx)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	*(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
	if (started++ >= may_start) {
		errno = ENOTDIR; /* what an earlier call left behind */
		return EAGAIN;
	}
	return create(thread, attr, run, ctx);
}

/* The wall clock as it was before somebody set it back. */
int clock_gettime(clockid_t clock, struct timespec *out)
{
	int (*get)(clockid_t, struct timespec *);

	*(void **)&get = dlsym(RTLD_NEXT, "clock_gettime");
	int rc = get(clock, out);
	out->tv_sec += clock == CLOCK_REALTIME ? wall_jump_sec : 0;
	return rc;
}

/* A pause of a thread is short here. */
int poll(struct pollfd *fds, nfds_t count, int msec)
{
	int (*wait)(struct pollfd *, nfds_t, int);

	*(void **)&wait = dlsym(RTLD_NEXT, "poll");
	return wait(fds, count, count == 0 && msec > 3 ? 3 : msec);
}

static void on_progress(void *ctx, const struct bm_transfer_progress *progress)
{
	(void)ctx;
	(void)progress;
	told++;
}

static int no_work(struct bm_pool_thread *thread, void *ctx, struct bm_error *err)
{
	(void)thread;
	(void)ctx;
	(void)err;
	return 0;
}

/* Members that find no server, and try again and again, work off nothing. */
static int run_pool(unsigned jobs, struct bm_error *err)
{
	struct bm_transfer t = {.options = {.progress = on_progress, .jobs = jobs},
			.progress = {.phase = "copy"}};
	struct bm_conninfo nowhere = {0};

	started = told = 0;
	pthread_mutex_init(&t.mutex, NULL);
	bm_activity_init(&t.progress.activity);
	bm_conninfo_put(&nowhere, "host", "/nonexistent");
	assert_int_equal(bm_endpoint_init(&t.destination, "destination", &nowhere, err), 0);
	bm_conninfo_finish(&nowhere);
	int rc = bm_pool_run(&t, jobs, false, no_work, NULL, err);
	bm_endpoint_finish(&t.destination);
	bm_activity_finish(&t.progress.activity);
	pthread_mutex_destroy(&t.mutex);
	return rc;
}

static void test_a_thread_that_cannot_start_is_told_with_its_own_reason(void **state)
{
	struct bm_error err = BM_ERROR_INIT;

	(void)state;
	may_start = 1;
	wall_jump_sec = 0;
	assert_int_equal(run_pool(3, &err), -1);
	assert_non_null(strstr(err.message, "cannot start a thread"));
	assert_non_null(strstr(err.message, strerror(EAGAIN)));
}

static void test_a_wall_clock_that_is_set_back_does_not_stop_the_progress(void **state)
{
	struct bm_error err = BM_ERROR_INIT;

	(void)state;
	may_start = 100;
	wall_jump_sec = 3600; /* all who wait until then wait for an hour */
	assert_int_equal(run_pool(1, &err), -1);
	assert_non_null(strstr(err.message, "/nonexistent"));
	assert_true(told >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_a_thread_that_cannot_start_is_told_with_its_own_reason),
			cmocka_unit_test(
					test_a_wall_clock_that_is_set_back_does_not_stop_the_progress),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
