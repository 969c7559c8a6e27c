/*
 * identity_hints - the words about an owner, and about a side that was replaced
 */
#ifndef WORKER_LIVE_IDENTITY_HINTS_H
#define WORKER_LIVE_IDENTITY_HINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "bucardo_machine/strbuf.h"

struct json_t;

/* `state` as machine_state() gives it; NULL is nobody's. */
bool bm_identity_is_foreign(const struct json_t *state, const char *owner);

/* Who owns it, and when it was heard of. */
void bm_identity_report_foreign(
		const struct json_t *state, const char *side, struct bm_strbuf *out);
void bm_identity_hint_foreign(
		const struct json_t *state, const char *migration, char *out, size_t size);
void bm_identity_hint_replaced(const char *migration, char *out, size_t size);

#endif
