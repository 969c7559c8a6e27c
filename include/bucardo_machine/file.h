/*
 * file - small files, whole, and safely replaced
 *
 * Local file systems only; every call may block for as long as the disk does,
 * so PID 1 uses them for small files at rare moments.
 */
#ifndef BUCARDO_MACHINE_FILE_H
#define BUCARDO_MACHINE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/strbuf.h"

/* True if something of any kind is at `path` (a dangling link counts as not). */
bool bm_file_exists(const char *path);

/* Whether the folder has such an entry: also for a link that leads to nothing. */
bool bm_file_is_named(const char *path);

/*
 * Append the file's content to `out`. A file of more than `limit` bytes is an
 * error (BM_ERR_PRECONDITION) and nothing is appended; other failures are BM_ERR_IO.
 */
int bm_file_load(const char *path, size_t limit, struct bm_strbuf *out, struct bm_error *err);

/*
 * Replace `path` by `length` bytes with rights `mode`, so that a crash at any
 * instant leaves the old file or the new one: temporary file beside it, fsync,
 * rename, fsync of the folder.
 */
int bm_file_replace(const char *path, const char *data, size_t length, mode_t mode,
		struct bm_error *err);

/* Create `path` and what is missing above it; an existing folder is fine. */
int bm_file_make_folders(const char *path, mode_t mode, struct bm_error *err);

/* Remove `path` and, for a folder, everything in it; never follows links, never
 * leaves the file system it starts on. A missing path is fine. */
int bm_file_remove_tree(const char *path, struct bm_error *err);

/* rename(2), then fsync of the folder that holds `to`. */
int bm_file_rename(const char *from, const char *to, struct bm_error *err);

#endif
