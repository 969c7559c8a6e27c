/*
 * sync_switch - the syncs of a migration made active and inactive, and kicked
 *
 * In the control database, in a transaction in which Bucardo's own triggers are quiet. The
 * master is told by name, and goes on serving the others (daemon/bucardo/serve.pl). What is
 * so already is left as it is. Nobody waits here until the master has obeyed.
 *
 * Threads: that of `phase`.
 */
#ifndef WORKER_DELTAS_SYNC_SWITCH_H
#define WORKER_DELTAS_SYNC_SWITCH_H

#include "worker/session/sides.h"

int bm_syncs_activate(struct bm_phase *phase, struct bm_error *err);
int bm_syncs_deactivate(struct bm_phase *phase, struct bm_error *err);

/* Those that are active run soon. */
int bm_syncs_kick(struct bm_phase *phase, struct bm_error *err);

#endif
