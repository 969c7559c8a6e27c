/*
 * largest_tables - how large the largest tables of a migration are, on both sides
 *
 * What status, metrics and the page show of single tables. Asked by the sessions that the
 * passes have, once a minute at most; a pass rests a hundred times as long as it took.
 * Nobody's lock is waited for, and what a server refuses keeps nobody from anything: the
 * numbers of before stay.
 */
#ifndef WORKER_RECONCILE_LARGEST_TABLES_H
#define WORKER_RECONCILE_LARGEST_TABLES_H

#include "worker/live/pass.h"

/* Sets member "largest" when it is due; -1 only when a connection is lost. */
int bm_reconcile_largest_tables(struct bm_pass *pass, struct bm_error *err);

#endif
