/*
 * Programs that run once to their end. The result waits for the child, and then a
 * moment for what it printed last; a grandchild that keeps the pipe (a daemon that
 * was launched) does not hold it up.
 */
#include "bucardo_machine/job.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/spawn.h"
#include "bucardo_machine/watchdog.h"
#include "base/process/output.h"

#define KILL_AFTER_MSEC 2000
#define LAST_WORDS_MSEC 200

struct bm_job {
	struct bm_loop *loop;
	struct bm_timer *timer;
	struct bm_output *output;
	struct bm_strbuf tail;
	struct bm_job_result result;
	pid_t pid; /* 0: not running */
	uint64_t begun_msec, limit_msec;
	struct bm_watchdog *silence; /* NULL: only the limit */
	bool terminated;
	void (*cb)(void *ctx, const struct bm_job_result *result);
	void *ctx;
};

static void release(struct bm_job *job)
{
	bm_output_close(job->output);
	bm_timer_close(job->timer);
	bm_watchdog_close(job->silence);
	bm_strbuf_finish(&job->tail);
	free(job);
}

static void finish(struct bm_job *job)
{
	job->result.tail = bm_strbuf_text(&job->tail);
	job->result.elapsed_msec = bm_clock_msec() - job->begun_msec;
	job->cb(job->ctx, &job->result);
	release(job);
}

static void on_output_end(void *ctx, struct bm_output *output)
{
	struct bm_job *job = ctx;

	(void)output;
	job->output = NULL;
	if (job->pid == 0) {
		bm_timer_arm(job->timer, 0); /* from the loop: the output is not freed yet */
	}
}

static void on_exit_of_child(void *ctx, pid_t pid, int status)
{
	struct bm_job *job = ctx;

	(void)pid;
	job->pid = 0;
	job->result.status = status;
	bm_timer_arm(job->timer, job->output == NULL ? 0 : LAST_WORDS_MSEC);
}

/* Its whole session: a shell would leave what it runs behind. */
static void terminate(struct bm_job *job)
{
	job->terminated = true;
	kill(-job->pid, SIGTERM);
	kill(-job->pid, SIGCONT);
	bm_timer_arm(job->timer, KILL_AFTER_MSEC);
}

static void on_silence(void *ctx, const char *why)
{
	struct bm_job *job = ctx;

	if (job->pid != 0 && !job->terminated) {
		bm_error_set(&job->result.error, BM_ERR_TIMEOUT, "it %s, and was stopped", why);
		terminate(job);
	}
}

/* One timer: first the limit, then the kill, then the wait for the last words. */
static void on_timer(void *ctx)
{
	struct bm_job *job = ctx;

	if (job->pid == 0) {
		finish(job);
		return;
	}
	if (!job->terminated) {
		char span[BM_CLOCK_TEXT_SIZE];
		bm_error_set(&job->result.error, BM_ERR_TIMEOUT,
				"it did not end within %s and was stopped",
				bm_clock_format_span(job->limit_msec, span));
		terminate(job);
	} else {
		kill(-job->pid, SIGKILL);
		bm_timer_arm(job->timer, KILL_AFTER_MSEC);
	}
}

static int start(struct bm_job *job, const char *name, struct bm_spawn *spawn)
{
	struct bm_error *err = &job->result.error;

	job->output = bm_output_open(job->loop, name, &job->tail, on_output_end, job,
			&spawn->stdout_fd, err);
	if (job->output == NULL) {
		return -1;
	}
	spawn->stderr_fd = spawn->stdout_fd;
	pid_t pid = bm_spawn(job->loop, spawn, on_exit_of_child, job, err);
	close(spawn->stdout_fd);
	if (pid < 0) {
		return -1;
	}
	job->pid = pid;
	return 0;
}

struct bm_job *bm_job_start(struct bm_loop *loop, const char *name, const char *const *argv,
		const char *const *env, const char *cwd, uint64_t limit_msec,
		void (*cb)(void *ctx, const struct bm_job_result *result), void *ctx)
{
	struct bm_spawn spawn = BM_SPAWN_INIT;
	struct bm_job *job = bm_alloc(sizeof(*job));

	*job = (struct bm_job){
			.loop = loop,
			.begun_msec = bm_clock_msec(),
			.limit_msec = limit_msec,
			.cb = cb,
			.ctx = ctx,
	};
	job->timer = bm_timer_create(loop, on_timer, job);
	spawn.argv = argv;
	spawn.env = env;
	spawn.cwd = cwd;
	/* A start that failed is told by the same timer, from the loop. */
	bm_timer_arm(job->timer, start(job, name, &spawn) == 0 ? limit_msec : 0);
	return job;
}

void bm_job_watch(struct bm_job *job, uint64_t silence_msec)
{
	job->silence = bm_watchdog_create(
			job->loop, silence_msec, job->limit_msec, on_silence, job);
	if (job->pid > 0) {
		bm_watchdog_watch(job->silence, job->pid);
	}
}

void bm_job_cancel(struct bm_job *job)
{
	if (job == NULL) {
		return;
	}
	if (job->pid > 0) {
		bm_child_forget(job->loop, job->pid);
		kill(-job->pid, SIGKILL);
	}
	release(job);
}
