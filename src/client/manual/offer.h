/*
 * offer - what the Tab key offers, by the tables of commands, options and values
 *
 * Threads: any.
 */
#ifndef CLIENT_MANUAL_OFFER_H
#define CLIENT_MANUAL_OFFER_H

#include <stddef.h>

#include "bucardo_machine/strbuf.h"

/*
 * The words that may stand where the last of `words` is being typed, one a line, and those
 * alone that begin with it. `words` are what was typed after the program's name, the last one
 * perhaps "". A line "@files", "@migrations" or "@units" stands for names that are not known
 * here; `runtime` becomes what was typed after --runtime, or stays as it is.
 */
void cli_offer(char *const *words, size_t count, const char **runtime, struct bm_strbuf *out);

#endif
