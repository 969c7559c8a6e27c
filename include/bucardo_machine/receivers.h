/*
 * receivers - who is told of changes of state, as one text from the daemon to `worker notify`
 *
 * A JSON object: `settle_msec`, and `receivers`, a list of `name`, `least` (info, warn,
 * error), `timeout_msec`, `interval_msec`, and what else machine.yaml says of one: `url` or
 * `url_file`, `token_file`, `ca_file`, or `command`. Files are named, never their content.
 */
#ifndef BUCARDO_MACHINE_RECEIVERS_H
#define BUCARDO_MACHINE_RECEIVERS_H

#include "bucardo_machine/config.h"

/* The variable that carries it. */
#define BM_RECEIVERS_VARIABLE "BUCARDO_MACHINE_RECEIVERS"

/* Of the configuration in force; to be freed. */
char *bm_receivers_text(const struct bm_config *config);

#endif
