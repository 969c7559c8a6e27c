/*
 * client_policy - how processes of the machine that are its clients are supervised
 *
 * `worker http` and `worker notify`: nobody waits for them, they have nothing to put in order
 * at the end, and they are never given up: replication does not end because a port is taken.
 */
#ifndef DAEMON_WORKERS_CLIENT_POLICY_H
#define DAEMON_WORKERS_CLIENT_POLICY_H

#include "bucardo_machine/config.h"
#include "bucardo_machine/supervise.h"

struct bm_unit_policy bm_client_policy(const struct bm_config *config);

#endif
