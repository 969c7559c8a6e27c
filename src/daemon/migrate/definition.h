/*
 * definition - a declared migration as JSON: in requests, in the journal, compared
 *
 * Pure. The object is what docs/worker-protocol.md calls the request's `migration`.
 */
#ifndef DAEMON_MIGRATE_DEFINITION_H
#define DAEMON_MIGRATE_DEFINITION_H

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

/* Give what an older machine wrote into the journal the names of today. */
void bm_definition_renew(struct json_t *definition);

/* Its changes go both ways. */
bool bm_definition_is_both(const struct json_t *definition);

/* One of direction forward got its way back: from now on it is one of direction both, and
 * member way_back says why, whatever machine.yaml has. */
void bm_definition_make_both(struct json_t *definition);
void bm_definition_follow(struct json_t *declared, const struct json_t *definition);

/* They differ in nothing but how hard to copy, if at all. */
bool bm_definition_is_same_but_copy(const struct json_t *old, const struct json_t *now);

/* What to do when a changed definition is refused. */
#define BM_REFUSAL_HINT                                                                        \
	"put back what it was, or give the new definition a name of its own "                  \
	"(what this one made stays)"

/* What a worker is to do beside its phase: measure for `plan`, and apply safe fixes. */
enum bm_request_kind { BM_REQUEST_WORK, BM_REQUEST_FIX, BM_REQUEST_PLAN };

/*
 * The request of one phase, one line without its newline. `refusal`: for a plan, why this
 * definition is refused, as bm_definition_compare() says it; NULL: it is not. Caller frees.
 */
char *bm_definition_request(const struct json_t *definition, enum bm_phase phase,
		const char *socket_dir, enum bm_request_kind kind, const char *refusal);

/* The request of `worker verify`. Caller frees. */
char *bm_definition_verify_request(const struct json_t *definition, const char *socket_dir,
		const struct bm_config_verify *verify);

/* machine.yaml has a migration called so. */
bool bm_migrate_is_declared(const struct bm_config *config, const char *name);

#endif
