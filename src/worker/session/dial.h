/*
 * dial - open a session, evaluated by what comes of it
 *
 * libpq's connect_timeout (15 s, or what the person wrote) is one time for all of a start. Here
 * it is what a network may be silent for: each answer on the way gives it anew. Once the
 * server's computer has taken the connection, the server is there and slow: four times as long,
 * and five minutes for all of it at most. Time that this process was not given a processor for
 * does not count.
 */
#ifndef WORKER_SESSION_DIAL_H
#define WORKER_SESSION_DIAL_H

#include <libpq-fe.h>

#include <stddef.h>

#include "bucardo_machine/sessions.h"

/*
 * Blocks. As PQconnectdbParams(): release with PQfinish(), PQstatus() says whether it is good.
 * `silent` becomes what was waited for in vain ("no answer for 15 s"), or "": libpq says why.
 */
PGconn *bm_dial(const struct bm_conninfo *words, char *silent, size_t size);

#endif
