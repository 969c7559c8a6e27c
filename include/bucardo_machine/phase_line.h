/*
 * phase_line - the lines that `worker phase` and `worker reconcile` print, and the daemon reads
 *
 * One JSON object a line (docs/worker-protocol.md). The worker's end is report.h; here are the
 * words of both ends, and the reading.
 *
 * Threads: any.
 */
#ifndef BUCARDO_MACHINE_PHASE_LINE_H
#define BUCARDO_MACHINE_PHASE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"

struct json_t;

/* What is to be done about a failure. */
enum bm_failure {
	BM_FAILURE_TRANSIENT, /* try again by itself */
	BM_FAILURE_OPERATOR,  /* a person must fix something first */
	BM_FAILURE_INTERNAL,  /* ours: stop and keep the evidence */
	BM_FAILURE_COUNT
};
const char *bm_failure_name(enum bm_failure failure); /* "transient"; static */

enum bm_severity {
	BM_SEVERITY_STOPS,
	BM_SEVERITY_DEGRADES,
	BM_SEVERITY_NOTE,
	BM_SEVERITY_COUNT
};
const char *bm_severity_name(enum bm_severity severity); /* "stops"; static */

enum bm_phase_event {
	BM_PHASE_EVENT_PROGRESS,
	BM_PHASE_EVENT_FINDING,
	BM_PHASE_EVENT_NOTE,
	BM_PHASE_EVENT_PLAN, /* what would be done */
	BM_PHASE_EVENT_DONE,
	BM_PHASE_EVENT_FAILED,
	BM_PHASE_EVENT_RECONCILED, /* by `worker reconcile`: how things are */
	BM_PHASE_EVENT_ALIVE,	   /* nothing new */
	BM_PHASE_EVENT_COUNT
};
const char *bm_phase_event_name(enum bm_phase_event event); /* "progress"; static */

/* One line of the worker; only the members of its event are set, texts are never NULL. */
struct bm_phase_line {
	enum bm_phase_event event;
	int64_t done, total;		   /* progress; total 0: unknown */
	int64_t rows;			   /* progress; -1: not told */
	int64_t pieces_done, pieces_total; /* progress, the same in chunks or objects; -1 */
	int64_t left_msec;		   /* progress: until it is done; -1: not told */
	const struct json_t *in_flight;	   /* progress: an array of objects; NULL: none */
	const char *unit, *text;	   /* progress; note */
	enum bm_severity severity;	   /* finding */
	const char *object, *why;	   /* finding */
	bool safe;			   /* finding: `plan --fix` may do the fix */
	const char *hint;		   /* finding, failed */
	const char *message;		   /* failed */
	enum bm_failure failure;	   /* failed */
	/* done, reconciled, plan: an object; failed: the same, or NULL */
	const struct json_t *evidence;
};

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
