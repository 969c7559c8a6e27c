/* replication - the syncs of one declared migration, put together, and the steps taken against
 * stalls of all of them; private. */
#ifndef DAEMON_STATUS_REPLICATION_H
#define DAEMON_STATUS_REPLICATION_H

#include <jansson.h>

#include "bucardo_machine/status.h"

/* "replication" of docs/status.md; null before the migration has a sync. */
json_t *bm_replication_json(const struct bm_status *status, const char *migration);

/* "recoveries" of docs/status.md. */
json_t *bm_recoveries_json(const struct bm_recoveries *recoveries);

#endif
