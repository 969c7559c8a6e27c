/* migration - what follows for a migration from several parts of the snapshot together */
#ifndef DAEMON_STATUS_MIGRATION_H
#define DAEMON_STATUS_MIGRATION_H

#include <jansson.h>

#include "bucardo_machine/status.h"

/* All that it was to do is done, its changes are applied as they come, and Bucardo runs. */
bool bm_migration_is_live(
		const struct bm_status *status, const struct bm_migration_view *migration);

/* Its status in a word: "live"; "halted": it would be live, but Bucardo does not run or a
 * database is out of reach; else the engine's, of which "done" means as far as it was told to
 * go. Static. */
const char *bm_migration_word(
		const struct bm_status *status, const struct bm_migration_view *migration);

/* What a database is: "source", "destination", or "live" once the destination is the side that
 * applications write to. Static. */
const char *bm_database_part(
		const struct bm_status *status, const struct bm_status_database *database);

/* A side of it is out of reach: nobody knows when it goes on. */
bool bm_migration_is_cut_off(
		const struct bm_status *status, const struct bm_migration_view *migration);

/* Members "doctor", the findings, null while nobody has looked, and "doctor_look": the rest of
 * `look`, the evidence of the doctor's worker, which it takes over. */
void bm_doctor_set(json_t *migration, json_t *look);

/* Member "not_in_step", taken out of `reconcile`; null while nobody has looked. */
json_t *bm_not_in_step_json(
		json_t *reconcile, const struct bm_status *status, int64_t wall_msec);

#endif
