/* line - what a phase worker prints, decoded and checked; pure. */
#ifndef DAEMON_WORKERS_LINE_H
#define DAEMON_WORKERS_LINE_H

#include "bucardo_machine/phase_host.h"

/* The longest line of a worker: the evidence of the largest schema fits. */
#define BM_PHASE_LINE_BYTES ((size_t)256 * 1024)

/* What may be in flight at once. */
#define BM_PHASE_PARTS 32

/* Understand one line. Texts live until bm_phase_line_finish(). -1: it is nonsense. */
struct bm_phase_decoded {
	struct bm_phase_line line;
	struct json_t *root;
};
int bm_phase_line_decode(const char *text, size_t length, struct bm_phase_decoded *out,
		struct bm_error *err);
void bm_phase_line_finish(struct bm_phase_decoded *decoded);

#endif
