/*
 * phase_host - the parent side of `bucardo-machine worker phase` and `worker tend`
 *
 * Starts the worker, hands it its order, turns its lines into values, and says
 * how it ended: with its own verdict, or with none when it was killed, talked
 * nonsense, or said nothing for 3 minutes and was killed for it. Cancelling kills it; every
 * phase can be begun again at any point.
 *
 * Threads: loop thread only. Texts are borrowed for the callback.
 */
#ifndef BUCARDO_MACHINE_PHASE_HOST_H
#define BUCARDO_MACHINE_PHASE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"

struct json_t;

/* What is to be done about a failure. */
enum bm_failure {
	BM_FAILURE_TRANSIENT, /* try again by itself */
	BM_FAILURE_OPERATOR,  /* a person must mend something first */
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
	BM_PHASE_EVENT_TENDED, /* by `worker tend`: how things are */
	BM_PHASE_EVENT_ALIVE,  /* nothing new */
	BM_PHASE_EVENT_COUNT
};

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
	bool safe;			   /* finding: `plan --fix` may do the mend */
	const char *mend;		   /* finding, failed */
	const char *message;		   /* failed */
	enum bm_failure failure;	   /* failed */
	const struct json_t *evidence;	   /* done, tended, plan: an object */
};

struct bm_phase_options {
	const char *program; /* path of our own binary: /proc/self/exe */
	const char *worker;  /* "phase" or "tend" */
	const char *pgpass;  /* PGPASSFILE of the worker */
	const char *subject; /* whose messages these are, for the log */
};

struct bm_phase_host;

/*
 * Start a worker on `order`, one line of JSON. `on_line` gets each of its lines,
 * but not that it lives; the verdict is the last. `on_end` is called once: `how` is NULL after
 * a verdict, else it says how the worker ended without one. The host is to be closed then.
 */
struct bm_phase_host *bm_phase_host_start(struct bm_loop *loop,
		const struct bm_phase_options *options, const char *order,
		void (*on_line)(void *ctx, const struct bm_phase_line *line),
		void (*on_end)(void *ctx, const char *how), void *ctx, struct bm_error *err);

/* Kill it if it still runs; no callback afterwards. NULL is accepted. */
void bm_phase_host_close(struct bm_phase_host *host);

pid_t bm_phase_host_pid(const struct bm_phase_host *host); /* 0: it has ended */

#endif
