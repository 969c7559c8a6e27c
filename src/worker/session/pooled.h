/*
 * pooled - is a pooler between us and the server, and does it keep sessions?
 *
 * A pooler may drop the settings that a connection asks for (PgBouncer:
 * ignore_startup_parameters). One that hands its connections to another client after each
 * transaction would hand on what we SET too: an application whose session has our settings
 * writes past the capture triggers. So it is found out before anything is SET.
 */
#ifndef WORKER_SESSION_POOLED_H
#define WORKER_SESSION_POOLED_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "bucardo_machine/error.h"

/* Whether the settings of a new connection have not arrived; also where nothing can be said. */
bool bm_pooled_drops_settings(PGconn *conn);

/* Two connections made alike: 0 when each has a session of its own, as far as can be seen; or
 * -1 with `err` (BM_ERR_PRECONDITION). */
int bm_pooled_check(PGconn *conn, PGconn *other, struct bm_error *err);

/* Say what to do where `err` is a pooler's refusal of our settings. Returns -1. */
int bm_pooled_explain(struct bm_error *err);

#endif
