/*
 * worker_child - the parent's end of `bucardo-machine worker NAME`
 *
 * Starts the worker, hands it its request through a pipe, reads its stdout as lines and
 * sends its stderr to the log. What the lines mean is the caller's business. A worker
 * holds nothing that is not found again: killing it is the cancel.
 *
 * Threads: loop thread only.
 */
#ifndef BUCARDO_MACHINE_WORKER_CHILD_H
#define BUCARDO_MACHINE_WORKER_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/lines.h"
#include "bucardo_machine/spawn.h"

struct bm_worker_child_options {
	const char *program; /* path of our own binary: /proc/self/exe */
	const char *worker;  /* NAME */
	const char *pgpass;  /* its PGPASSFILE */
	const char *subject; /* whose messages those on stderr are, for the log; copied */
	const char *request; /* one line, without its newline */
	size_t line_bytes;   /* the longest line of its stdout */
	bm_lines_cb *on_line;
	bm_exit_cb *on_exit; /* once, unless it was killed from here */
	void *ctx;
};

struct bm_worker_child;

/* NULL with `err`. No callback comes before this returns. */
struct bm_worker_child *bm_worker_child_start(struct bm_loop *loop,
		const struct bm_worker_child_options *options, struct bm_error *err);

pid_t bm_worker_child_pid(const struct bm_worker_child *child); /* 0: it has ended, or NULL */

/* Tell it to look now. One that is full of such words, or gone, needs none. */
void bm_worker_child_wake(struct bm_worker_child *child);
/* And to connect anew for it. */
void bm_worker_child_renew(struct bm_worker_child *child);

/*
 * End it if it still runs, and read no more of its stdout. Its messages go on to the log
 * until it is closed: the last ones say why it ended. NULL is accepted.
 */
void bm_worker_child_end(struct bm_worker_child *child);

void bm_worker_child_close(struct bm_worker_child *child); /* the same, and free it */

#endif
