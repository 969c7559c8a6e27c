/*
 * foreign_keys - foreign keys that the copy left NOT VALID (worker/schema/foreign.h)
 *
 * What is not validated is read from the catalogs, so nothing is remembered. Validation lets
 * everybody write meanwhile; it fails while a change that brings a parent still waits.
 */
#ifndef WORKER_RECONCILE_FOREIGN_KEYS_H
#define WORKER_RECONCILE_FOREIGN_KEYS_H

#include "worker/live/pass.h"

/* Validate those that are valid on the source, when it is time; sets member "unchecked". */
int bm_reconcile_foreign_keys(struct bm_pass *pass, struct bm_error *err);

#endif
