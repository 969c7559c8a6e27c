/*
 * The loop with real processes, descriptors and signals; driven by test_event.py.
 * Each test makes its own loop and must end by itself: a limit stops the loop and
 * fails the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/lines.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/spawn.h"
#include "bucardo_machine/strbuf.h"

#define LIMIT_MSEC 10000

/* What a test sees, and the loop it stops when it has seen enough. */
struct scene {
	struct bm_loop *loop;
	struct bm_timer *limit;
	struct bm_error err;
	bool too_late;
	int wanted; /* ends of anything, until the loop stops */
	int status;
	pid_t pid;
	int signo;
	struct bm_strbuf text;
	struct bm_lines *lines;
};

static void on_limit(void *ctx)
{
	struct scene *scene = ctx;

	scene->too_late = true;
	bm_loop_stop(scene->loop);
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	/* What an earlier test's loop left unreaped when it was destroyed, or is just ending.
	 */
	for (int i = 0; i < 200 && waitpid(-1, NULL, WNOHANG) >= 0; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	scene->loop = bm_loop_create(&scene->err);
	assert_non_null(scene->loop);
	scene->limit = bm_timer_create(scene->loop, on_limit, scene);
	bm_timer_arm(scene->limit, LIMIT_MSEC);
	scene->wanted = 1;
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	bm_timer_close(scene->limit);
	bm_loop_destroy(scene->loop);
	bm_strbuf_finish(&scene->text);
	free(scene);
	return 0;
}

static void run(struct scene *scene)
{
	bm_loop_run(scene->loop);
	assert_false(scene->too_late);
}

static void seen(struct scene *scene)
{
	if (--scene->wanted == 0) {
		bm_loop_stop(scene->loop);
	}
}

static void on_exit_of(void *ctx, pid_t pid, int status)
{
	struct scene *scene = ctx;

	scene->pid = pid;
	scene->status = status;
	seen(scene);
}

static pid_t spawn(struct scene *scene, struct bm_spawn spec, const char *const *argv)
{
	spec.argv = argv;
	return bm_spawn(scene->loop, &spec, on_exit_of, scene, &scene->err);
}

static void on_line(void *ctx, enum bm_lines_event event, const char *text, size_t length)
{
	struct scene *scene = ctx;

	if (event == BM_LINES_END) {
		bm_lines_close(scene->lines);
		seen(scene);
		return;
	}
	bm_strbuf_add(&scene->text, text, length);
	bm_strbuf_putc(&scene->text, event == BM_LINES_PARTIAL ? '+' : '|');
}

/* Run a shell script with its output gathered in scene->text, to its end. */
static void run_script(
		struct scene *scene, struct bm_spawn spec, size_t limit, const char *script)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	int ends[2];

	assert_int_equal(bm_pipe(ends, &scene->err), 0);
	scene->lines = bm_lines_open(scene->loop, ends[0], limit, on_line, scene, &scene->err);
	assert_non_null(scene->lines);
	spec.stdout_fd = ends[1];
	scene->wanted = 2;
	assert_true(spawn(scene, spec, argv) > 0);
	close(ends[1]);
	run(scene);
}

static void test_a_child_is_reaped_with_its_status(void **state)
{
	struct scene *scene = *state;
	const char *argv[] = {"sh", "-c", "exit 7", NULL};
	pid_t pid = spawn(scene, (struct bm_spawn)BM_SPAWN_INIT, argv);

	assert_true(pid > 0);
	run(scene);
	assert_int_equal(scene->pid, pid);
	assert_int_equal(WEXITSTATUS(scene->status), 7);
}

static void test_a_missing_program_is_execs_own_answer(void **state)
{
	struct scene *scene = *state;
	const char *argv[] = {"bm-no-such-program", NULL};

	assert_int_equal(spawn(scene, (struct bm_spawn)BM_SPAWN_INIT, argv), -1);
	assert_int_equal(scene->err.code, BM_ERR_CONFIG);
	assert_int_equal(scene->err.os_errno, ENOENT);
}

static void test_a_file_without_execute_rights_is_execs_own_answer(void **state)
{
	struct scene *scene = *state;
	const char *argv[] = {"/etc/passwd", NULL};

	assert_int_equal(spawn(scene, (struct bm_spawn)BM_SPAWN_INIT, argv), -1);
	assert_int_equal(scene->err.code, BM_ERR_CONFIG);
	assert_int_equal(scene->err.os_errno, EACCES);
}

static void test_a_missing_folder_is_named(void **state)
{
	struct scene *scene = *state;
	const char *argv[] = {"true", NULL};
	struct bm_spawn spec = BM_SPAWN_INIT;

	spec.cwd = "/bm-no-such-folder";
	assert_int_equal(spawn(scene, spec, argv), -1);
	assert_non_null(strstr(scene->err.message, "/bm-no-such-folder"));
}

static void test_a_failed_start_is_no_orphan(void **state)
{
	struct scene *scene = *state;
	const char *bad[] = {"bm-no-such-program", NULL}, *good[] = {"true", NULL};

	assert_int_equal(spawn(scene, (struct bm_spawn)BM_SPAWN_INIT, bad), -1);
	assert_true(spawn(scene, (struct bm_spawn)BM_SPAWN_INIT, good) > 0);
	run(scene);
	assert_int_equal(bm_orphans_reaped(scene->loop), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_the_environment_is_replaced_and_searched(void **state)
{
	struct scene *scene = *state;
	const char *env[] = {"PATH=/usr/bin:/bin", "HOME=/nowhere", "BM_NEW=1", NULL};
	struct bm_spawn spec = BM_SPAWN_INIT;

	spec.env = env;
	run_script(scene, spec, 100, "echo $HOME; echo $BM_NEW; env | grep -c ^HOME=");
	assert_string_equal(bm_strbuf_text(&scene->text), "/nowhere|1|1|");
}

static void test_a_child_starts_with_a_clean_slate(void **state)
{
	struct scene *scene = *state;
	int stray = fcntl(1, F_DUPFD, 100); /* not close-on-exec */

	signal(SIGPIPE, SIG_IGN);
	run_script(scene, (struct bm_spawn)BM_SPAWN_INIT, 200,
			"exec awk '/^Sig(Blk|Ign)|^NSsid/ {print $2}' /proc/self/status");
	assert_string_equal(bm_strbuf_text(&scene->text) +
					strcspn(bm_strbuf_text(&scene->text), "|"),
			"|0000000000000000|0000000000000000|");
	bm_strbuf_clear(&scene->text);
	run_script(scene, (struct bm_spawn)BM_SPAWN_INIT, 200,
			"ls /proc/self/fd | wc -l; readlink /proc/self/fd/0");
	assert_non_null(strstr(bm_strbuf_text(&scene->text), "4|/dev/null|"));
	close(stray);
}

static void test_lines_are_whole_and_long_ones_come_in_pieces(void **state)
{
	struct scene *scene = *state;

	run_script(scene, (struct bm_spawn)BM_SPAWN_INIT, 4,
			"printf 'a\\n\\nabcd\\nabcdefghij\\nend'");
	assert_string_equal(bm_strbuf_text(&scene->text), "a||abcd|abcd+efgh+ij|end|");
}

static void test_many_children_at_once_are_all_told(void **state)
{
	struct scene *scene = *state;
	const char *argv[] = {"true", NULL};

	scene->wanted = 200;
	for (int i = 0; i < 200; i++) {
		assert_true(spawn(scene, (struct bm_spawn)BM_SPAWN_INIT, argv) > 0);
	}
	run(scene);
	assert_int_equal(scene->wanted, 0);
}

static void on_signal(void *ctx, int signo)
{
	struct scene *scene = ctx;

	scene->signo = signo;
	seen(scene);
}

static void test_a_signal_sent_before_anybody_asked_is_told(void **state)
{
	struct scene *scene = *state;

	kill(getpid(), SIGTERM);
	bm_loop_on_signal(scene->loop, on_signal, scene);
	assert_int_equal(scene->signo, 0);
	run(scene);
	assert_int_equal(scene->signo, SIGTERM);
}

static void on_pid_end(void *ctx, pid_t pid)
{
	struct scene *scene = ctx;

	scene->pid = pid;
	seen(scene);
}

/*
 * Read a process until it shows its arguments. A spawn is told that exec succeeded when
 * the kernel closes the close-on-exec descriptors, a moment before the new arguments
 * stand in /proc.
 */
static void read_with_arguments(struct scene *scene, pid_t pid, struct bm_process *process)
{
	uint64_t end = bm_clock_msec() + LIMIT_MSEC;

	do {
		assert_int_equal(bm_process_read(pid, process, &scene->err), 0);
	} while (process->title[0] == '[' && bm_clock_msec() < end);
}

static void test_the_end_of_a_process_is_seen_by_pidfd(void **state)
{
	struct scene *scene = *state;
	const char *argv[] = {"sleep", "100", NULL};
	pid_t pid = spawn(scene, (struct bm_spawn)BM_SPAWN_INIT, argv);
	struct bm_process process;

	assert_true(pid > 0);
	read_with_arguments(scene, pid, &process);
	assert_int_equal(process.parent, getpid());
	assert_int_equal(process.session, pid);
	assert_string_equal(process.title, "sleep 100");
	assert_null(bm_pidfd_watch_create(scene->loop, pid, process.start_time + 1, on_pid_end,
			scene, &scene->err));
	struct bm_pidfd_watch *watch = bm_pidfd_watch_create(
			scene->loop, pid, process.start_time, on_pid_end, scene, &scene->err);
	assert_non_null(watch);
	scene->wanted = 2; /* the pidfd's word and the reaper's */
	assert_int_equal(bm_process_signal(pid, process.start_time + 1, SIGKILL, &scene->err),
			0);
	assert_int_equal(kill(pid, 0), 0); /* the wrong start time protected it */
	kill(pid, SIGSTOP);
	assert_int_equal(bm_process_signal(pid, process.start_time, SIGTERM, &scene->err), 0);
	run(scene);
	assert_int_equal(WTERMSIG(scene->status), SIGTERM);
	bm_pidfd_watch_close(watch);
}

/* What old container runtimes do to system calls that they do not know. */
static void forbid_pidfds(void)
{
	struct sock_filter filter[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = BM_COUNT_OF(filter), .filter = filter};

	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* For good: this test comes last. */
static void test_the_end_of_a_process_is_seen_without_pidfds_too(void **state)
{
	forbid_pidfds();
	test_the_end_of_a_process_is_seen_by_pidfd(state);
}

static void test_processes_are_seen_and_signalled_without_free_descriptors(void **state)
{
	struct scene *scene = *state;
	const char *argv[] = {"sleep", "100", NULL};
	pid_t pid = spawn(scene, (struct bm_spawn)BM_SPAWN_INIT, argv);
	struct rlimit before, tight;
	struct bm_process process;
	int ends[2], lowest = dup(0);

	close(lowest);
	getrlimit(RLIMIT_NOFILE, &before);
	tight = before;
	tight.rlim_cur = (rlim_t)lowest; /* none free */
	setrlimit(RLIMIT_NOFILE, &tight);
	int pipe_result = bm_pipe(ends, &scene->err);
	int read_result = bm_process_read(pid, &process, NULL);
	int signal_result = bm_process_signal(pid, process.start_time, SIGTERM, NULL);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(pipe_result, -1);
	assert_int_equal(scene->err.code, BM_ERR_TRANSIENT);
	assert_int_equal(read_result, 0);
	assert_int_equal(signal_result, 0);
	run(scene);
	assert_int_equal(WTERMSIG(scene->status), SIGTERM);
}

static void on_folder(void *ctx, const char *name)
{
	struct scene *scene = ctx;

	bm_strbuf_puts(&scene->text, name == NULL ? "several" : name);
	seen(scene);
}

static void test_a_change_in_a_folder_is_told_once(void **state)
{
	struct scene *scene = *state;
	char folder[] = "/tmp/bm-event-XXXXXX", path[64];

	assert_non_null(mkdtemp(folder));
	struct bm_folder_watch *watch = bm_folder_watch_create(
			scene->loop, folder, on_folder, scene, &scene->err);
	assert_non_null(watch);
	snprintf(path, sizeof(path), "%s/one", folder);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	run(scene);
	assert_string_equal(bm_strbuf_text(&scene->text), "one");
	bm_folder_watch_close(watch);
	unlink(path);
	rmdir(folder);
}

static void again(void *ctx)
{
	seen(ctx);
}

static void twice(void *ctx)
{
	struct scene *scene = ctx;

	bm_loop_defer(scene->loop, again, scene);
	seen(scene);
}

static void test_deferred_calls_may_defer_again(void **state)
{
	struct scene *scene = *state;

	scene->wanted = 2;
	bm_loop_defer(scene->loop, twice, scene);
	assert_int_equal(scene->wanted, 2);
	run(scene);
}

/* Busy for 50 ms, then a wait of a second, which does not count. */
static void be_busy(void *ctx)
{
	struct scene *scene = ctx;
	uint64_t until = bm_clock_msec() + 50;

	while (bm_clock_msec() < until) {
		/* as a blocking call would */
	}
	bm_timer_arm(scene->limit, 1000);
}

static void test_a_turn_is_as_long_as_the_loop_was_busy(void **state)
{
	struct scene *scene = *state;

	assert_true(bm_loop_longest_iteration_usec(scene->loop) < 50000);
	bm_loop_defer(scene->loop, be_busy, scene);
	bm_loop_run(scene->loop); /* until the limit, brought forward */
	assert_in_range(bm_loop_longest_iteration_usec(scene->loop), 49000, 900000);
}

/* cmocka wants the fixture named with every test. */
#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	struct bm_error err = BM_ERROR_INIT;
	const struct CMUnitTest tests[] = {
			SCENE(test_a_child_is_reaped_with_its_status),
			SCENE(test_a_missing_program_is_execs_own_answer),
			SCENE(test_a_file_without_execute_rights_is_execs_own_answer),
			SCENE(test_a_missing_folder_is_named),
			SCENE(test_a_failed_start_is_no_orphan),
			SCENE(test_the_environment_is_replaced_and_searched),
			SCENE(test_a_child_starts_with_a_clean_slate),
			SCENE(test_lines_are_whole_and_long_ones_come_in_pieces),
			SCENE(test_many_children_at_once_are_all_told),
			SCENE(test_a_signal_sent_before_anybody_asked_is_told),
			SCENE(test_the_end_of_a_process_is_seen_by_pidfd),
			SCENE(test_processes_are_seen_and_signalled_without_free_descriptors),
			SCENE(test_a_change_in_a_folder_is_told_once),
			SCENE(test_deferred_calls_may_defer_again),
			SCENE(test_a_turn_is_as_long_as_the_loop_was_busy),
			SCENE(test_the_end_of_a_process_is_seen_without_pidfds_too),
	};

	if (bm_event_begin(&err) != 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
