/*
 * job - a program that runs once to its end (initdb, bucardo install, pg_dump)
 *
 * Output goes to the log; its last lines come back in the result.
 *
 * Threads: that of the loop.
 */
#ifndef BUCARDO_MACHINE_JOB_H
#define BUCARDO_MACHINE_JOB_H

#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"

struct bm_job_result {
	int status;	       /* waitpid's; meaningful when error.code is BM_ERR_NONE */
	struct bm_error error; /* could not start (as bm_spawn), or BM_ERR_TIMEOUT */
	const char *tail;      /* last lines of output, up to 2 KiB; borrowed for the call */
	uint64_t elapsed_msec;
};
struct bm_job;
/* Kills the job (TERM, then KILL after 2 s) at `limit_msec`. `cb` is called once. */
struct bm_job *bm_job_start(struct bm_loop *loop, const char *name, const char *const *argv,
		const char *const *env, const char *cwd, uint64_t limit_msec,
		void (*cb)(void *ctx, const struct bm_job_result *result), void *ctx);
/* End it also when for so long nothing shows that it works (watchdog.h); `limit_msec` is the
 * last resort then. */
void bm_job_watch(struct bm_job *job, uint64_t silence_msec);
/* Kill at once and never call back; NULL is accepted. Not after the callback. */
void bm_job_cancel(struct bm_job *job);

#endif
