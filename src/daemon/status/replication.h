/* replication - the syncs of one declared migration, put together; private. */
#ifndef DAEMON_STATUS_REPLICATION_H
#define DAEMON_STATUS_REPLICATION_H

#include <jansson.h>

#include "bucardo_machine/status.h"

/* "replication" of docs/status.md; null before the migration has a sync. */
json_t *bm_replication_json(const struct bm_status *status, const char *migration);

#endif
