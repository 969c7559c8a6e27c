/*
 * event_store - events in table machine.event_log of the control database
 *
 * Written in groups, at most a second after they happened; what was not written when the
 * machine ends in order goes into a file of the volume, and from there into the table at
 * the next start. What a `kill -9` costs is the events of the last second, and those made
 * while the control database was unreachable.
 */
#ifndef DAEMON_MACHINE_EVENT_STORE_H
#define DAEMON_MACHINE_EVENT_STORE_H

#include "bucardo_machine/postgres.h"
#include "daemon/machine/events.h"

struct bm_event_store;

/* `events` is borrowed; `volume` is copied. */
struct bm_event_store *bm_event_store_create(
		struct bm_loop *loop, struct bm_events *events, const char *volume);
void bm_event_store_destroy(struct bm_event_store *store); /* NULL is accepted */

/* From now on this is the connection, NULL none any more; and when it has come up, once more.
 */
void bm_event_store_use(struct bm_event_store *store, struct bm_conn *conn);

/* The machine ends: keep the rest on the volume. Call when nothing writes any more. */
void bm_event_store_finish(struct bm_event_store *store);

#endif
