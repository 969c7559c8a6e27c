/*
 * traces - what a migration, or Bucardo, made in a database, and its removal
 *
 * The code of `bucardo-machine teardown`: plain blocking libpq, without the machine. What is to
 * be done is read from the catalogs anew each time, so a run that was killed anywhere is gone
 * on with by the next one. Locks are taken for one table at a time and given up after a moment.
 *
 *     bm_traces_open()     connect to one side
 *     bm_traces_users()    whose migrations and syncs use it
 *     bm_traces_remove()   take all of it out
 *     bm_traces_left()     search the catalogs for what is still there
 *     bm_traces_close()
 *
 * Threads: one caller.
 */
#ifndef BUCARDO_MACHINE_TRACES_H
#define BUCARDO_MACHINE_TRACES_H

#include <stdbool.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/sessions.h"

struct bm_traces;

/* `role`: "source" or "destination". NULL with `err`. */
struct bm_traces *bm_traces_open(
		const struct bm_conninfo *words, const char *role, struct bm_error *err);
void bm_traces_close(struct bm_traces *traces); /* NULL is accepted */

/* "'shop' on db.example:5432" */
const char *bm_traces_place(const struct bm_traces *traces);

/* A migration, or a sync of none, that uses this side. `age_sec`: since its machine was heard
 * of last; -1 unknown. */
typedef void bm_traces_user_fn(void *ctx, const char *name, const char *host, long age_sec);
int bm_traces_users(struct bm_traces *traces, bm_traces_user_fn *tell, void *ctx,
		struct bm_error *err);

/* This side refuses writes of others still: a destination that was not cut over to. */
bool bm_traces_is_fenced(struct bm_traces *traces);

/*
 * Remove everything. What could not be removed is told with the reason and its statement, and
 * nothing that it needs is removed then. Waits for locks of others as long as some minutes.
 */
typedef void bm_traces_tell_fn(void *ctx, const char *what, const char *statement);
int bm_traces_remove(struct bm_traces *traces, bm_traces_tell_fn *tell, void *ctx,
		struct bm_error *err);

/* What the catalogs have still, and what removes it. Returns how much, or -1. */
int bm_traces_left(struct bm_traces *traces, bm_traces_tell_fn *tell, void *ctx,
		struct bm_error *err);

#endif
