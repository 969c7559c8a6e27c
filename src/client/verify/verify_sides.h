/*
 * verify_sides - how the databases of a migration are reached, as the machine says it
 *
 * Threads: any, but for the environment.
 */
#ifndef CLIENT_VERIFY_VERIFY_SIDES_H
#define CLIENT_VERIFY_VERIFY_SIDES_H

#include <jansson.h>

#include "bucardo_machine/sessions.h"

/* A side of the request that the command `plan` of the control socket answers with. Finish
 * `out`. */
void cli_verify_take_endpoint(const json_t *endpoint, struct bm_conninfo *out);

/* The machine's copy of the Secret has the passwords, unless PGPASSFILE names another. Sets the
 * environment: before there are threads. */
void cli_verify_use_passfile(const char *runtime);

#endif
