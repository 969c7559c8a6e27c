/*
 * tend_keys - keys of captured tables whose columns were renamed
 *
 * Bucardo's trigger names the columns of the key as they were when the table was captured:
 * once one of them has another name, every write to the table fails, the application's
 * too. The trigger and the delta table follow a new name, at each end by itself, and what
 * waits there is kept. A key column that is gone cannot be followed: that is told.
 */
#ifndef WORKER_TEND_KEYS_H
#define WORKER_TEND_KEYS_H

#include "worker/tend_tables.h"

/* Make what following takes at both ends. */
int bm_keys_prepare(struct bm_tend *tend, struct bm_error *err);

/* Follow what was renamed; fills `keyless` of `look`, table -> what is wrong with its key. */
int bm_keys_follow(struct bm_look *look, struct bm_error *err);

#endif
