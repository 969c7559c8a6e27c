/*
 * observation - a struct bm_observation as one line of JSON, and back
 *
 * Both directions come from the same tables of fields, so that the two ends of
 * the pipe cannot disagree. Moments travel as ages. docs/worker-protocol.md
 * describes the line for people.
 */
#ifndef WORKER_OBSERVATION_H
#define WORKER_OBSERVATION_H

#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/bucardo.h"
#include "bucardo_machine/error.h"

/* What the observer hears of; more of them are left out of a sample. */
#define BM_OBSERVATION_MAX_DBS 64
#define BM_OBSERVATION_MAX_SYNCS 128

/* The longest line either end accepts. */
#define BM_OBSERVATION_LINE_BYTES ((size_t)1024 * 1024)

/* Longest texts of a sample in bytes; they are cut when encoded. */
#define BM_OBSERVATION_TEXT_BYTES 600

enum bm_observation_detail {
	BM_OBSERVATION_FULL,
	/* Only what deserves a line at once when it changed: states and texts, of a
	 * backlog whether there is one, no ages and no counters. */
	BM_OBSERVATION_STATES
};

/* The line, without a newline; the caller frees it. */
char *bm_observation_encode(
		const struct bm_observation *observation, enum bm_observation_detail detail);

/* The line of a worker that cannot look: `why` names the reason. Caller frees. */
char *bm_observation_encode_waiting(const char *why);

/* A decoded line; the texts of `observation` live as long as this. */
struct bm_observation_line {
	struct bm_observation observation;
	const char *waiting; /* the worker cannot look because of this; NULL: a sample */
	void *memory;
	void *json;
};

/*
 * Decode a line received at `now_msec` (bm_clock_msec()). Everything is checked:
 * a missing field, a wrong type, an index out of range is BM_ERR_INTERNAL.
 * Finish `out` also after a failure.
 */
int bm_observation_decode(const char *text, size_t length, uint64_t now_msec,
		struct bm_observation_line *out, struct bm_error *err);
void bm_observation_line_finish(struct bm_observation_line *line);

#endif
