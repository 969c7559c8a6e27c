/*
 * http_unit - `worker http` as a unit of the machine
 *
 * It answers probes, scrapes and browsers as a client of the control socket, so that nothing
 * that they send reaches the daemon. Nobody waits for it, and however often it dies the
 * machine is as well as before.
 */
#ifndef DAEMON_WORKERS_HTTP_UNIT_H
#define DAEMON_WORKERS_HTTP_UNIT_H

#include <stdbool.h>

#include "bucardo_machine/config.h"
#include "bucardo_machine/supervise.h"

#define BM_HTTP_UNIT "http"

/* Where it listens: as machine.yaml says, or else `fallback`; NULL: nowhere, it is off. */
const char *bm_http_unit_listen(const struct bm_config *config, const char *fallback);

bool bm_http_unit_is_same(
		const struct bm_config *a, const struct bm_config *b, const char *fallback);

/* What is run, and how it is supervised. Texts are borrowed; `spec` points into the struct. */
struct bm_http_unit {
	const char *argv[10];
	char probe[80];
	struct bm_program_spec spec;
	struct bm_unit_policy policy;
};
void bm_http_unit_fill(struct bm_http_unit *unit, const struct bm_config *config,
		const char *at, const char *runtime, const char *socket_dir);

#endif
