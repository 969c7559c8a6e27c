/*
 * definition - a declared migration as JSON: in orders, in the journal, compared
 *
 * Pure. The object is what docs/worker-protocol.md calls the order's `migration`.
 */
#ifndef MIGRATE_DEFINITION_H
#define MIGRATE_DEFINITION_H

#include <stdbool.h>

#include "bucardo_machine/config.h"
#include "bucardo_machine/strbuf.h"

struct json_t;

/* A new object. */
struct json_t *bm_definition_create(const struct bm_config_migration *migration);

/*
 * Append what a changed definition must not change once data depends on it, as
 * "source.host was "a" and is "b" now, ..."; nothing when all that differs is
 * harmless (how fast to copy). `old` is what the journal has.
 */
void bm_definition_compare(
		const struct json_t *old, const struct json_t *now, struct bm_strbuf *out);

/* The order of one phase, one line without its newline. Caller frees. */
char *bm_definition_order(const struct json_t *definition, enum bm_phase phase,
		const char *socket_dir, bool fix);

#endif
