/*
 * Running a program from a process that otherwise blocks: a loop is made for it, and
 * for nothing else. Signals that would end us end the program too.
 */
#include "worker/dump/tool.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/job.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/log.h"
#include "bucardo_machine/spawn.h"
#include "bucardo_machine/strbuf.h"

/* The dump of a schema with a hundred thousand objects, behind other people's locks. */
#define LIMIT_MSEC ((uint64_t)2 * 60 * 60 * 1000)

#define INSTALLED "/usr/lib/postgresql/"

char *bm_tool_find(const char *name, unsigned major, struct bm_error *err)
{
	const char *folder = getenv("BUCARDO_MACHINE_PGBIN");
	char *pattern = bm_format(INSTALLED "*/bin/%s", name);
	glob_t found = {0};
	unsigned best = 0;

	if (folder != NULL && folder[0] != '\0') {
		free(pattern);
		return bm_format("%s/%s", folder, name);
	}
	glob(pattern, 0, NULL, &found);
	free(pattern);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		unsigned long version = strtoul(
				found.gl_pathv[i] + strlen(INSTALLED), NULL, 10);
		best = version > best ? (unsigned)version : best;
	}
	globfree(&found);
	if (best == 0) {
		return bm_strdup(name);
	}
	if (best < major) {
		bm_error_set(err, BM_ERR_PRECONDITION,
				"the source is PostgreSQL %u, but the newest %s here is of %u: "
				"install the package postgresql-client-%u",
				major, name, best, major);
		return NULL;
	}
	return bm_format(INSTALLED "%u/bin/%s", best, name);
}

struct run {
	struct bm_loop *loop;
	struct bm_job *job;
	const char *program;
	struct bm_error *err;
	struct bm_strbuf *said; /* NULL: nobody wants it */
	int rc;
};

static void on_done(void *ctx, const struct bm_job_result *result)
{
	struct run *run = ctx;
	char how[BM_EXIT_TEXT_SIZE];

	run->job = NULL;
	if (run->said != NULL) {
		bm_strbuf_puts(run->said, result->tail);
	}
	if (result->error.code != BM_ERR_NONE) {
		*run->err = result->error;
	} else if (bm_exit_code(result->status) != 0) {
		bm_error_set(run->err, BM_ERR_SQL, "%s ended with %s: %s", run->program,
				bm_exit_text(result->status, how), result->tail);
	} else {
		run->rc = 0;
	}
	bm_loop_stop(run->loop);
}

static void on_signal(void *ctx, int signo)
{
	struct run *run = ctx;

	bm_error_set(run->err, BM_ERR_TRANSIENT, "stopped by signal %d", signo);
	bm_job_cancel(run->job);
	run->job = NULL;
	bm_loop_stop(run->loop);
}

int bm_tool_run(const char *const *argv, struct bm_error *err)
{
	return bm_tool_run_limited(argv, NULL, LIMIT_MSEC, NULL, err);
}

int bm_tool_run_limited(const char *const *argv, const char *const *env, uint64_t limit_msec,
		struct bm_strbuf *said, struct bm_error *err)
{
	const char *slash = strrchr(argv[0], '/');
	struct run run = {
			.program = slash != NULL ? slash + 1 : argv[0],
			.err = err,
			.said = said,
			.rc = -1,
	};
	sigset_t before;

	/* What it tells of its progress is nothing to a person; why it fails is in the error.
	 */
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (nowhere >= 0) {
		bm_log_open(nowhere, BM_LOG_TEXT, true);
	}
	sigprocmask(SIG_SETMASK, NULL, &before); /* a loop blocks what it reads */
	run.loop = bm_loop_create(err);
	if (run.loop == NULL) {
		return -1;
	}
	bm_loop_on_signal(run.loop, on_signal, &run);
	run.job = bm_job_start(
			run.loop, run.program, argv, env, NULL, limit_msec, on_done, &run);
	bm_loop_run(run.loop);
	bm_loop_destroy(run.loop);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (nowhere >= 0) {
		bm_log_open(STDERR_FILENO, BM_LOG_TEXT, true);
		close(nowhere);
	}
	return run.rc;
}
