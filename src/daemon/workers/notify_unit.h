/*
 * notify_unit - `worker notify` as a unit of the machine
 *
 * It tells receivers of changes of state, as a client of the control socket, so that no
 * address, no TLS and no program of others is the daemon's business. It is there where
 * machine.yaml names a receiver. Nobody waits for it.
 *
 * Who is to be told goes to it in its environment: an address can be a secret.
 */
#ifndef DAEMON_WORKERS_NOTIFY_UNIT_H
#define DAEMON_WORKERS_NOTIFY_UNIT_H

#include <stdbool.h>

#include "bucardo_machine/config.h"
#include "bucardo_machine/supervise.h"

#define BM_NOTIFY_UNIT "notify"

bool bm_notify_unit_is_same(const struct bm_config *a, const struct bm_config *b);

/* What is run, and how it is supervised. Texts are borrowed; `spec` points into the struct. */
struct bm_notify_unit {
	const char *argv[6];
	char *receivers; /* its environment */
	const char *env[2];
	struct bm_program_spec spec;
	struct bm_unit_policy policy;
};
void bm_notify_unit_fill(struct bm_notify_unit *unit, const struct bm_config *config,
		const char *runtime, const char *volume);
void bm_notify_unit_finish(struct bm_notify_unit *unit);

#endif
