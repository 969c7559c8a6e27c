/*
 * refused_tables - tables that make runs of their sync fail
 *
 * The net below what drift.c knows. A run applies all tables of a sync or none, so one
 * row that a server refuses stops them all. src/daemon/bucardo/launch.pl puts the table that
 * the run was at, and the database, in front of the error: "SQLSTATE 23514 at public.t on
 * app_destination: ...". Such a table is paused alone, with the error's words as the reason.
 *
 *     refused    a run failed at it: it is paused. Errors that pass once the machine has done
 *                its part (constraints, since what waits may collide while a part of it is
 *                deferred, see batch_limit.h; columns and names) have to come again 10 s later
 *     on trial   it was put back, because a definition of it changed on either side, or the
 *                time was over: 30 s, twice as long after each failed trial, 10 min at most
 *     forgotten  a good run was begun since
 *
 * What is known is a row of machine.refused in the control database for each table, so that a
 * worker that is killed goes on with it; when it is lost the next failed run says it again.
 * Errors that concern no single table (connections, locks, resources, a read-only server)
 * refuse none, and at most 20 tables of a sync are refused at a time: beyond that it is not
 * the tables that are wrong.
 */
#ifndef WORKER_TABLES_REFUSED_TABLES_H
#define WORKER_TABLES_REFUSED_TABLES_H

#include <stdbool.h>

#include "worker/tables/table_pause.h"
#include "worker/tables/table_check.h"

/* Make the table; what an earlier worker refused is tried again at once. */
int bm_refused_prepare(struct bm_pass *pass, struct bm_error *err);

/* Whether a run failed since the last check, so that it is time for one. */
int bm_refused_is_news(struct bm_pass *pass, bool *is_news, struct bm_error *err);

/*
 * Take in the newest failed run of a sync, and what is over. `captured`: its tables, names in
 * the first column. Fills `refused`, table -> {difference, hint}, of those to be paused.
 */
int bm_refused_update(struct bm_table_check *check, const struct bm_paused_sync *sync,
		const PGresult *captured, struct json_t **refused, struct bm_error *err);

/* ---- pure, for tests ---- */

/*
 * The table of `text`, an error of a run, as the index of one of `count` names; -1 when it
 * names none, or is of a kind that no single table is to blame for. `*side`: "source" or
 * "destination" of migration `name`; `*twice`: one such run is not enough.
 */
int bm_refused_find(const char *text, const char *name, const char *const *tables, int count,
		const char **side, bool *twice);

#endif
