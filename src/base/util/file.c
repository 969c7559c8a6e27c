/* Small files, whole, and safely replaced. */
#include "bucardo_machine/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"

/* How many folders nftw() may hold open at once; deeper trees only get slower. */
#define OPEN_FOLDERS 16

bool bm_file_exists(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0;
}

bool bm_file_is_named(const char *path)
{
	struct stat info;

	return lstat(path, &info) == 0;
}

static int read_all(int fd, size_t limit, struct bm_strbuf *out)
{
	char block[4096];
	size_t start = out->length;
	ssize_t got;

	while ((got = read(fd, block, sizeof(block))) != 0) {
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			return -1;
		}
		bm_strbuf_add(out, block, (size_t)got);
		if (out->length - start > limit) {
			errno = EFBIG;
			return -1;
		}
	}
	return 0;
}

int bm_file_load(const char *path, size_t limit, struct bm_strbuf *out, struct bm_error *err)
{
	size_t before = out->length;
	/* O_NONBLOCK: a FIFO under this name must not stop PID 1. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot open '%s': %m", path);
	}
	int rc = read_all(fd, limit, out);
	if (rc != 0) {
		enum bm_error_code code = errno == EFBIG ? BM_ERR_PRECONDITION : BM_ERR_IO;
		bm_error_set(err, code, "cannot read '%s': %m (limit %zu bytes)", path, limit);
		out->length = before;
		bm_strbuf_add(out, "", 0);
	}
	close(fd);
	return rc;
}

static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	int rc = fd < 0 ? -1 : fsync(fd);

	/* Network and FUSE file systems that cannot sync a folder say so like this. */
	if (fd >= 0 && rc != 0 && errno == EINVAL) {
		rc = 0;
	}
	if (fd >= 0) {
		int saved_errno = errno;
		close(fd);
		errno = saved_errno;
	}
	return rc;
}

static int sync_parent(const char *path)
{
	char *copy = bm_strdup(path);
	int rc = sync_folder(dirname(copy));
	int saved_errno = errno;

	free(copy);
	errno = saved_errno;
	return rc;
}

static int write_all(int fd, const char *data, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = write(fd, data + done, length - done);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return -1;
		}
		done += (size_t)n;
	}
	return 0;
}

/* The content under a temporary name, synced. errno tells why it failed. */
static int write_temporary(const char *path, const char *data, size_t length, mode_t mode)
{
	/* Never into what lies there from before: it may have other rights or be a FIFO. */
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0) {
		return -1;
	}
	int rc = fchmod(fd, mode) == 0 && write_all(fd, data, length) == 0 && fsync(fd) == 0
			? 0
			: -1;
	int saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return rc;
}

int bm_file_replace(const char *path, const char *data, size_t length, mode_t mode,
		struct bm_error *err)
{
	char *temporary = bm_format("%s.new", path);
	int rc = write_temporary(temporary, data, length, mode);

	if (rc == 0 && (rename(temporary, path) != 0 || sync_parent(path) != 0)) {
		rc = -1;
	}
	if (rc != 0) {
		bm_error_set(err, BM_ERR_IO, "cannot write '%s': %m", path);
		unlink(temporary);
	}
	free(temporary);
	return rc;
}

static bool is_folder(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Like mkdir(2), but an existing folder is fine. */
static int make_folder(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0) {
		return 0;
	}
	int saved_errno = errno;
	if (is_folder(path)) {
		return 0;
	}
	errno = saved_errno;
	return -1;
}

int bm_file_make_folders(const char *path, mode_t mode, struct bm_error *err)
{
	char *copy = bm_strdup(path);
	int rc = 0;

	for (char *p = copy + (copy[0] == '/'); rc == 0; p++) {
		if (*p != '/' && *p != '\0') {
			continue;
		}
		char kept = *p;
		*p = '\0';
		if (make_folder(copy, mode) != 0) {
			rc = bm_error_set(
					err, BM_ERR_IO, "cannot create folder '%s': %m", copy);
		}
		*p = kept;
		if (kept == '\0') {
			break;
		}
	}
	free(copy);
	return rc;
}

static int remove_entry(
		const char *path, const struct stat *info, int kind, struct FTW *position)
{
	(void)info;
	(void)kind;
	(void)position;
	return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

int bm_file_remove_tree(const char *path, struct bm_error *err)
{
	int flags = FTW_DEPTH | FTW_PHYS | FTW_MOUNT;
	int rc = nftw(path, remove_entry, OPEN_FOLDERS, flags);
	int saved_errno = errno;
	struct stat info;

	if (rc != 0 && (saved_errno != ENOENT || lstat(path, &info) == 0)) {
		errno = saved_errno;
		return bm_error_set(err, BM_ERR_IO, "cannot remove '%s': %m", path);
	}
	return 0;
}

int bm_file_rename(const char *from, const char *to, struct bm_error *err)
{
	if (rename(from, to) != 0 || sync_parent(to) != 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot rename '%s' to '%s': %m", from, to);
	}
	return 0;
}
