/*
 * flip - the hooks of a cut-over: what sends applications to the other side
 *
 * A hook is one of `cutover.hooks` of machine.yaml (docs/cutover-hooks.md). The calls follow an
 * attempt: reach, before, pause, then resume (nothing has happened) or after (committed).
 * What is done twice is done once: each may be called again, by another process too.
 *
 * Ownership: the hooks and what `about` points to stay the caller's. Threads: one.
 */
#ifndef WORKER_FLIP_FLIP_H
#define WORKER_FLIP_FLIP_H

#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "worker/session/phase_request.h"

struct json_t;

struct bm_flip_about {
	const char *migration, *direction;
	uint64_t number;
	bool to_source; /* it is the source that becomes live */
	const struct bm_phase_endpoint *from, *to;
	/* A hook after the commit is done; NULL: nobody asks. */
	void (*on_done)(void *ctx, const char *name);
	void *ctx;
};

struct bm_flip;

/* NULL when there are no hooks; the other calls take that. */
struct bm_flip *bm_flip_create(const struct json_t *hooks, const struct bm_flip_about *about);
void bm_flip_destroy(struct bm_flip *flip);

/* Whether each can be reached: an object {object, why, hint} is appended for each that cannot.
 * Nothing is changed. Connections are kept. */
void bm_flip_reach(struct bm_flip *flip, struct json_t *problems);

/* The hooks `before`, in their order; -1 with `err`, which names the one that failed. */
int bm_flip_before(struct bm_flip *flip, struct bm_error *err);

/* The hooks `abort`, each once; what fails is in the report. */
void bm_flip_abort(struct bm_flip *flip);

/* Whether clients of a PgBouncer have to wait for the freeze. */
bool bm_flip_has_pooler(const struct bm_flip *flip);

/* Connections, so that the freeze needs none. */
int bm_flip_prepare(struct bm_flip *flip, struct bm_error *err);

/*
 * PAUSE at all PgBouncers at once: returns when no client of theirs is in a transaction. -1
 * with `err`: BM_ERR_TIMEOUT when a transaction did not end within `limit_msec`; its servers'
 * processes are in bm_flip_busy() then. The caller resumes.
 */
int bm_flip_pause(struct bm_flip *flip, uint64_t limit_msec, struct bm_error *err);

/* What PAUSE waited for in vain: pids of the live server, "1, 2"; "" none. */
const char *bm_flip_busy(const struct bm_flip *flip);

/* Clients go on where they were. -1 with `err` when a PgBouncer could not be told within its
 * timeout. `all`: also where we know of no PAUSE, which a process before us may have done. */
int bm_flip_resume(struct bm_flip *flip, bool all, struct bm_error *err);

/* At the end of the attempt: what was set at PgBouncers for the moment is as before. */
int bm_flip_settle(struct bm_flip *flip, struct bm_error *err);

/* One done by an earlier process. */
void bm_flip_mark_done(struct bm_flip *flip, const char *name);

/* After the commit: all that are not done, each once. -1 with `err`, the first that failed. */
int bm_flip_after(struct bm_flip *flip, struct bm_error *err);

/* What was done so far, as a list of objects. Borrowed. */
struct json_t *bm_flip_report(struct bm_flip *flip);

#endif
