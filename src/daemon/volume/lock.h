/* lock - one live machine per volume; a crash releases it. */
#ifndef DAEMON_VOLUME_LOCK_H
#define DAEMON_VOLUME_LOCK_H

#include <stdbool.h>

#include "bucardo_machine/error.h"

/*
 * Take the advisory lock on `<volume>/lock` and write who we are into it.
 * Returns the descriptor that holds it (close it to release), or -1 with `err`:
 * BM_ERR_PRECONDITION when a live machine has it (the message names it),
 * BM_ERR_IO otherwise. The descriptor is close-on-exec: no child keeps the lock.
 */
int bm_lock_take(const char *volume, struct bm_error *err);

/* Whether the lock that `fd` holds is the one of `volume` still: another volume may have
 * been mounted there, or somebody removed the file. */
bool bm_lock_is_of(int fd, const char *volume);

#endif
