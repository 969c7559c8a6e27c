/*
 * traces - what a migration, or Bucardo, made in a database, and its removal
 *
 * The code of `bucardo-machine teardown`: plain blocking libpq, without the machine. What is to
 * be done is read from the catalogs anew each time, so a run that was killed anywhere is gone
 * on with by the next one. Locks are taken for one table at a time and given up after a moment.
 *
 *     bm_traces_open()     connect to one side
 *     bm_traces_users()    whose migrations and syncs use it
 *     bm_traces_count()    what there is, and what waits
 *     bm_traces_remove()   take it out
 *     bm_traces_left()     search the catalogs for what is still there
 *     bm_traces_close()
 *
 * Who names migrations (or syncs that were made by hand) gets those removed, and nothing that
 * another one needs; the rest goes with the last of them.
 *
 * Threads: one caller.
 */
#ifndef BUCARDO_MACHINE_TRACES_H
#define BUCARDO_MACHINE_TRACES_H

#include <stdbool.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/sessions.h"
#include "bucardo_machine/strbuf.h"

struct bm_traces;

/* `role`: "source" or "destination". NULL with `err`. */
struct bm_traces *bm_traces_open(
		const struct bm_conninfo *words, const char *role, struct bm_error *err);
void bm_traces_close(struct bm_traces *traces); /* NULL is accepted */

/* "'shop' on db.example:5432"; borrowed */
const char *bm_traces_place(const struct bm_traces *traces);

/* A migration, or a sync of none, that uses this side. `age_sec`: since its machine was heard
 * of last; -1 unknown. */
typedef void bm_traces_user_fn(void *ctx, const char *name, const char *host, long age_sec);
int bm_traces_users(struct bm_traces *traces, bm_traces_user_fn *report, void *ctx,
		struct bm_error *err);

/* This side refuses writes of others still: a destination that was not cut over to. */
bool bm_traces_is_fenced(struct bm_traces *traces);

/* Users that are not among `names` (to NULL): how many, or -1; `out` gets them, with blanks. */
int bm_traces_others(struct bm_traces *traces, const char *const *names, struct bm_strbuf *out,
		struct bm_error *err);

struct bm_traces_counts {
	long triggers; /* on tables */
	long objects;  /* tables, functions and the like; -1 where others use it too */
	long waiting;  /* changes that were not applied yet */
};
int bm_traces_count(struct bm_traces *traces, const char *const *names,
		struct bm_traces_counts *out, struct bm_error *err);

struct bm_traces_events {
	/* What could not be removed and why, or what is still there; and its statement. */
	void (*report)(void *ctx, const char *what, const char *statement);
	/* Before each statement: how many are known to follow. NULL: not heard. */
	void (*step)(void *ctx, int left, const char *statement);
	/* A statement has waited some seconds for a lock; `holders` names the transactions that
	 * have it. It is tried again, and told once for each statement. NULL: not heard. */
	void (*waits)(void *ctx, const char *holders, const char *statement);
	void *ctx;
};

/*
 * Remove what the migrations or syncs `names` (to NULL; NULL: all of them) have there. What
 * could not be removed is told, and nothing that it needs is removed then. Waits for locks of
 * others as long as some minutes.
 */
int bm_traces_remove(struct bm_traces *traces, const char *const *names,
		const struct bm_traces_events *events, struct bm_error *err);

/* What the catalogs have still of it, and what removes that. Returns how much, or -1. */
int bm_traces_left(struct bm_traces *traces, const char *const *names,
		const struct bm_traces_events *events, struct bm_error *err);

#endif
