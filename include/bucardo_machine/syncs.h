/*
 * syncs - the syncs of one migration, and how they are called
 *
 * "app_sync", then "app_sync_2" to "app_sync_8".
 */
#ifndef BUCARDO_MACHINE_SYNCS_H
#define BUCARDO_MACHINE_SYNCS_H

#include <stdbool.h>

/* Those that tables are spread over. */
#define BM_SYNCS_LIMIT 8

/* What follows the migration's name, for SQL. */
#define BM_SYNC_SUFFIXES "_sync(_[2-8])?$"

/* One of them, from 0 on; 0 is the first. free() it. */
char *bm_sync_name(const char *migration, unsigned number);

bool bm_sync_is_of(const char *sync, const char *migration);

/* Why a migration with direction forward does not fail back, and what could have been done. */
#define BM_NO_WAY_BACK                                                                          \
	"its direction is forward, and it was cut over without a way back: what is written to " \
	"the destination is not captured, and nowhere else"
#define BM_NO_WAY_BACK_HINT                                                                     \
	"docs/cutover.md, \"Direction forward\"; `cutover: {way_back: true}` makes a way back " \
	"before a cut-over"

#endif
