/*
 * output - what our children print, line by line into the log
 *
 * A stream lives until its last writer is gone, which may be a grandchild that
 * outlives the child: the owner lets go of it with the child's death, or forces it.
 */
#ifndef BASE_PROCESS_OUTPUT_H
#define BASE_PROCESS_OUTPUT_H

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/strbuf.h"

struct bm_output;

/*
 * Make a pipe whose lines go to the log under `unit` (copied). `*write_fd` is for the
 * child; the caller closes it after the spawn. `ended` (may be NULL) is called once
 * when the last writer is gone; the stream is freed after it. `tail` (may be NULL,
 * borrowed) gets a copy of the last lines, about 2 KiB.
 */
struct bm_output *bm_output_open(struct bm_loop *loop, const char *unit, struct bm_strbuf *tail,
		void (*ended)(void *ctx, struct bm_output *output), void *ctx, int *write_fd,
		struct bm_error *err);

/* Read what has come already; may end and free the stream. NULL is accepted. */
void bm_output_read(struct bm_output *output);

/* Stop reading and free, without a call of `ended`; NULL is accepted. */
void bm_output_close(struct bm_output *output);

#endif
