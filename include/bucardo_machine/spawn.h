/*
 * spawn - child processes: the only fork, the only exec, the only waitpid
 *
 * As PID 1 (or subreaper) we wait for anyone; known pids are dispatched to their
 * owner, orphans are counted. Every child gets its own session, an empty signal
 * mask, default dispositions, /dev/null as stdin unless given one, no inherited
 * descriptor beyond those named here, and dies with us (PDEATHSIG).
 */
#ifndef BUCARDO_MACHINE_SPAWN_H
#define BUCARDO_MACHINE_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"

struct bm_spawn {
	const char *const *argv; /* argv[0] is looked up in PATH; NULL-terminated */
	const char *const *env;	 /* "NAME=value" added to or replacing ours; NULL: none */
	const char *cwd;	 /* NULL: ours */
	int stdin_fd;		 /* -1: /dev/null */
	int stdout_fd;		 /* -1: /dev/null; often the write end of a lines pipe */
	int stderr_fd;		 /* -1: /dev/null */
	int death_signal;	 /* sent to the child when we die; 0: SIGKILL; -1: none */
	int inherited_fd;	 /* one more descriptor kept at the same number; 0: none */
	bool own_group;		 /* with same_session: a process group of its own in any case */
	bool keep_signals;	 /* ignored and blocked are those that we were started with */
	bool same_session; /* run -- COMMAND: our session, and our terminal if it is ours */
};

#define BM_SPAWN_INIT                                                                          \
	{                                                                                      \
		.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1                               \
	}

/* `status` as waitpid(2) gives it. The pid is free for reuse when this is called. */
typedef void bm_exit_cb(void *ctx, pid_t pid, int status);

/*
 * Start a program; `cb` is called once, from the loop, when it ended. Returns
 * the pid, or -1 with `err` set: BM_ERR_CONFIG with os_errno ENOENT, EACCES,
 * ... when the program cannot be executed or the folder not entered (exec's own
 * answer, not a guess), BM_ERR_TRANSIENT when the system is short of
 * something (EAGAIN, ENOMEM, EMFILE). Descriptors in `spawn` stay the caller's.
 */
pid_t bm_spawn(struct bm_loop *loop, const struct bm_spawn *spawn, bm_exit_cb *cb, void *ctx,
		struct bm_error *err);

/*
 * Be told of the end of a process that became our child by re-parenting (a
 * daemon). Replaces an earlier watch of that pid. If it was reaped already, as
 * the ring of the last 64 reaped orphans knows, `cb` is called soon. A process
 * that is not our child gives -1 (use bm_pidfd_watch()).
 */
int bm_child_watch(struct bm_loop *loop, pid_t pid, bm_exit_cb *cb, void *ctx,
		struct bm_error *err);

/* Forget a watch or a spawned child: its end is reaped silently. */
void bm_child_forget(struct bm_loop *loop, pid_t pid);

/*
 * Be told of the end of any process, child or not, by pidfd; the exit status
 * stays unknown. `start_time` guards against a reused pid: pass the field from
 * bm_process_read(). Returns NULL with `err` when it is already gone.
 */
struct bm_pidfd_watch;
struct bm_pidfd_watch *bm_pidfd_watch_create(struct bm_loop *loop, pid_t pid,
		uint64_t start_time, void (*cb)(void *ctx, pid_t pid), void *ctx,
		struct bm_error *err);
void bm_pidfd_watch_close(struct bm_pidfd_watch *watch); /* NULL is accepted */

/* Orphans reaped since the start. */
uint64_t bm_orphans_reaped(const struct bm_loop *loop);

/* ---- looking at processes (Linux /proc) ---- */

struct bm_process {
	pid_t pid, parent, session;
	char state;	     /* R S D T Z ... */
	uint64_t start_time; /* clock ticks since boot: identity together with the pid */
	uint64_t cpu_ticks;  /* of processor it used, without its children (proc(5),
				sysconf(_SC_CLK_TCK)) */
	uid_t uid;
	/*
	 * The arguments, spaces between; what `ps` shows. "[NAME]" when there are none: a
	 * zombie, a thread of the kernel, or for a moment a process in the middle of its
	 * exec, which bm_spawn() may already have told to be successful.
	 */
	char title[256];
	char cwd[512]; /* "" when it may not be read */
};

/* Read one process; -1 with `err` (BM_ERR_IO, ESRCH or ENOENT) when there is none. */
int bm_process_read(pid_t pid, struct bm_process *out, struct bm_error *err);

/* Call `cb` for every process that can be seen. The callback returns false to end. */
void bm_process_each(bool (*cb)(void *ctx, const struct bm_process *process), void *ctx);

/*
 * Send a signal through a pidfd, so that a reused pid is never hit; start_time 0
 * skips that check. After SIGTERM, SIGINT and SIGQUIT a stopped process gets SIGCONT, so that
 * it hears them. ESRCH is success.
 */
int bm_process_signal(pid_t pid, uint64_t start_time, int signo, struct bm_error *err);

/* The same to the process group of a child of ours that leads it. */
void bm_process_signal_group(pid_t leader, int signo);

/* "exit code 3", "killed by SIGKILL", "killed by SIGSEGV (core dumped)" into `out`. */
#define BM_EXIT_TEXT_SIZE 64
const char *bm_exit_text(int status, char *out);

/* The number a shell would give: the exit code, or 128 + signal. */
int bm_exit_code(int status);

#endif
