/*
 * alone - of several workers one at a time makes schemas, tables, functions and triggers of
 * ours, and has Bucardo make its own, on a side
 *
 * "IF NOT EXISTS", "OR REPLACE" and Bucardo's questions look first and make then: of several
 * migrations of one source that begin at the same moment one failed with a duplicate key of the
 * catalogs, or a tuple that was updated concurrently.
 *
 * A lock of the session, which may be taken again by it; nobody waits for it longer than 20 s,
 * and goes on without it then: whoever else holds it (any role may) keeps nobody from working.
 */
#ifndef WORKER_SESSION_ALONE_H
#define WORKER_SESSION_ALONE_H

#include <stdbool.h>

#include "worker/session/sides.h"

/* Whether it was had; not inside of a transaction, where it would abort that. */
bool bm_alone_begin(struct bm_phase *phase, enum bm_side side);

/* Given back where it was had. */
void bm_alone_end(struct bm_phase *phase, enum bm_side side, bool is_alone);

#endif
