/* tool - pg_dump and pg_restore: found, run to their end, and their words kept. */
#ifndef WORKER_DUMP_TOOL_H
#define WORKER_DUMP_TOOL_H

#include "bucardo_machine/error.h"

/*
 * The newest PostgreSQL's program of that name, at least of `major` (caller: free()).
 * Looks into $BUCARDO_MACHINE_PGBIN, then /usr/lib/postgresql/<major>/bin, then PATH.
 */
char *bm_tool_find(const char *name, unsigned major, struct bm_error *err);

/* Run it; -1 with its last words when it does not end with exit code 0. Main thread only. */
int bm_tool_run(const char *const *argv, struct bm_error *err);

#endif
