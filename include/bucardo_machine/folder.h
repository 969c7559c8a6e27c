/*
 * folder - another name for a folder whose path others cannot deal with
 *
 * Bucardo makes capitals of its settings small, a list of socket folders is cut at commas
 * and blanks, and a socket's path may have 107 bytes only. The kernel gives each open folder
 * a second name, /proc/PID/fd/N, which has none of these faults, needs no place of its own,
 * and leaves nothing behind. It is good for all processes of the same user (and for root) in
 * the same pid namespace, as long as this process lives and keeps the folder open.
 */
#ifndef BUCARDO_MACHINE_FOLDER_H
#define BUCARDO_MACHINE_FOLDER_H

#include <stdbool.h>

#include "bucardo_machine/error.h"

/* What may follow a folder's name in the path of a socket: "/.s.PGSQL.5432.lock" and such. */
#define BM_FOLDER_ROOM 24

#define BM_FOLDER_NAME_SIZE 48

/* Whether it may be used as it is: small letters, digits and "/._-", and short enough. */
bool bm_folder_is_plain(const char *path);

/*
 * Open the folder and write its other name. In `*fd` stands -1, or what an earlier call put
 * there: the name stays the same then, and leads to what is at `path` now. The caller closes
 * it.
 */
int bm_folder_open(const char *path, int *fd, char name[BM_FOLDER_NAME_SIZE],
		struct bm_error *err);

#endif
