/* tool - pg_dump and pg_restore: found, run to their end, and their words kept. */
#ifndef WORKER_DUMP_TOOL_H
#define WORKER_DUMP_TOOL_H

#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/strbuf.h"

/*
 * The newest PostgreSQL's program of that name, at least of `major` (caller: free()).
 * Looks into $BUCARDO_MACHINE_PGBIN, then /usr/lib/postgresql/<major>/bin, then PATH.
 */
char *bm_tool_find(const char *name, unsigned major, struct bm_error *err);

/* Run it; -1 with its last words when it does not end with exit code 0. Main thread only. */
int bm_tool_run(const char *const *argv, struct bm_error *err);

/* Any program, with `env` ("NAME=value") besides ours, and TERM, then KILL for its session
 * after `limit_msec`. Its last words (2 KiB) are appended to `said`, also when it went well. */
int bm_tool_run_limited(const char *const *argv, const char *const *env, uint64_t limit_msec,
		struct bm_strbuf *said, struct bm_error *err);

#endif
