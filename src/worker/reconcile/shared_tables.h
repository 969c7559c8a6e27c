/*
 * shared_tables - who keeps changes of a table that others take from too
 *
 * A change goes when every target of its table has applied it (delta_repair.h). One that is
 * gone for good, a sync that was removed, a machine that was switched off, keeps them for
 * ever; only a person knows that.
 */
#ifndef WORKER_RECONCILE_SHARED_TABLES_H
#define WORKER_RECONCILE_SHARED_TABLES_H

#include "worker/live/pass.h"

/* Look once a minute; sets member "kept" of the evidence. */
int bm_reconcile_shared_tables(struct bm_pass *pass, struct bm_error *err);

#endif
