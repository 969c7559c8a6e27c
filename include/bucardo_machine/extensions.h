/*
 * extensions - which extensions of the source the destination gets, and in which version
 *
 * Without rules: all of them, in the version that the destination's server prefers.
 */
#ifndef BUCARDO_MACHINE_EXTENSIONS_H
#define BUCARDO_MACHINE_EXTENSIONS_H

#include "bucardo_machine/rules.h"

/* The names to skip as a literal of text[]; free() it. */
char *bm_extensions_skipped(const struct bm_extension_rules *rules);

/* The versions as a JSON list of {name, version}; free() it. */
char *bm_extensions_versions(const struct bm_extension_rules *rules);

#endif
