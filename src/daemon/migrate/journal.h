/*
 * journal - what is proven, in schema `machine` of the control database
 *
 * A row per migration and a row per phase of it, each written whole in one
 * statement, so that a crash leaves the old row or the new one. The engine's
 * memory is what counts while it lives: a row that could not be written stays
 * marked and is written when the database is back.
 */
#ifndef DAEMON_MIGRATE_JOURNAL_H
#define DAEMON_MIGRATE_JOURNAL_H

#include "daemon/migrate/engine.h"

/* Create the tables where they are missing and read everything into the engine; one of a later
 * version is not touched (journal_version.h). `done` is called once unless cancelled. */
struct bm_script *bm_journal_load(struct bm_migrate *migrate,
		void (*done)(void *ctx, const struct bm_error *err));

/* Write the next row that is not written; false when all are. */
bool bm_journal_write(struct bm_migrate *migrate);

/* Whether all rows are written. */
bool bm_journal_is_clean(const struct migration *migration);

/* Whether the migration's own row is written: its definition, until, and pause. */
bool bm_journal_has_request(const struct migration *migration);

#endif
