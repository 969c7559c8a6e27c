/* json - the snapshot as JSON for a given wall time, so that tests can fix it. */
#ifndef DAEMON_STATUS_JSON_H
#define DAEMON_STATUS_JSON_H

#include <stdint.h>

#include "bucardo_machine/status.h"

/* As bm_status_json(), as if it were `wall_msec` now. */
char *bm_status_json_at(const struct bm_status *status, int64_t wall_msec);

#endif
