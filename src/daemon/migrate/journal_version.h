/*
 * journal_version - which version of the journal is there, and that a later one is left alone
 *
 * The number goes up when a program that knows only the number before would misread what is
 * written; columns that an older program does not see need no new one. A volume of each earlier
 * format is in tests/support/volumes, and a test takes it over.
 */
#ifndef DAEMON_MIGRATE_JOURNAL_VERSION_H
#define DAEMON_MIGRATE_JOURNAL_VERSION_H

#include "bucardo_machine/postgres.h"

/* 2: a migration may be in the midst of a cut-over, which a program of 1 would not finish. */
#define BM_JOURNAL_VERSION 2

/* Before all else; makes the table where it is missing, and has the version as its result. */
extern const char bm_journal_version_sql[];
/* A step's on_result for it: BM_ERR_NEWER for a later version than ours. */
int bm_journal_take_version(void *ctx, const struct bm_result *result, struct bm_error *err);

/* Once the tables are there. */
extern const char bm_journal_version_write_sql[];

#endif
