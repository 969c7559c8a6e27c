/*
 * suggest - what a misspelt key was probably meant to be
 */
#ifndef BASE_CONFIG_SUGGEST_H
#define BASE_CONFIG_SUGGEST_H

#include "bucardo_machine/strbuf.h"

/*
 * Append "; did you mean 'x'?" for the known key nearest to `name` under
 * `prefix`, or for a key of that very name elsewhere; then which keys are known
 * under `prefix`.
 */
void bm_suggest_key(const char *prefix, const char *name, struct bm_strbuf *out);

#endif
