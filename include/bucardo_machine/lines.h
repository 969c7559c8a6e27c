/*
 * lines - whole lines out of a descriptor, bounded
 *
 * Reads without blocking, hands out lines without their newline. A line longer
 * than the limit comes in pieces marked partial. Bytes after the last newline
 * come as a line at end of file. Child death is the reaper's event, not EOF: a
 * grandchild may hold a pipe open.
 */
#ifndef BUCARDO_MACHINE_LINES_H
#define BUCARDO_MACHINE_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"

struct bm_lines;

enum bm_lines_event {
	BM_LINES_LINE,	  /* a whole line */
	BM_LINES_PARTIAL, /* a piece of a line longer than the limit; more follows */
	BM_LINES_END	  /* end of file or error; the last event; text is NULL */
};

typedef void bm_lines_cb(void *ctx, enum bm_lines_event event, const char *text, size_t length);

/*
 * Read lines from `fd`, which the object owns from now on (also on failure).
 * `limit` is the longest line in bytes. At most 64 KiB are read per turn of the
 * loop, so that one noisy child does not starve the others.
 */
struct bm_lines *bm_lines_open(struct bm_loop *loop, int fd, size_t limit, bm_lines_cb *cb,
		void *ctx, struct bm_error *err);

/* Read what has come already, without waiting for the loop; for the last words of a child
 * whose end was seen first. */
void bm_lines_read(struct bm_lines *lines);

/* Stop, close the descriptor; NULL is accepted. */
void bm_lines_close(struct bm_lines *lines);

/* A close-on-exec pipe: ends[0] non-blocking for reading, ends[1] for a child. */
int bm_pipe(int ends[2], struct bm_error *err);

#endif
