/*
 * report_page - the proof of a migration as one page, from what is kept of it
 *
 * Asks the machine for the databases, and the source for what was found.
 *
 * Threads: one at a time. Blocks, for a minute at most.
 */
#ifndef CLIENT_REPORT_REPORT_PAGE_H
#define CLIENT_REPORT_REPORT_PAGE_H

#include "bucardo_machine/error.h"

/* The page (free()). NULL with `err`: BM_ERR_CONFIG when there is no such migration, or
 * nothing of it was compared. */
char *report_page(const char *runtime, const char *migration, struct bm_error *err);

#endif
