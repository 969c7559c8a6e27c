/* The Secret's password file, checked and copied where libpq accepts it. */
#include "bucardo_machine/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bucardo_machine/file.h"
#include "base/config/pgpass.h"

/* Ten thousand entries; libpq reads the file for each connection. */
#define LIMIT_BYTES ((size_t)1024 * 1024)

/* What libpq accepts. */
#define COPY_MODE 0600

/*
 * Kubernetes mounts a Secret as links through `..data`, readable by all unless
 * told otherwise, in a folder that only this container sees: its rights are
 * nothing to fix. Elsewhere others on the host could read the file.
 */
static bool is_in_kubernetes(const char *path)
{
	static const char data[] = "..data/";
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target));

	return length > (ssize_t)strlen(data) && memcmp(target, data, strlen(data)) == 0;
}

static void check_rights(const char *path, mode_t mode, struct bm_strbuf *warnings)
{
	if (is_in_kubernetes(path)) {
		return;
	}
	if ((mode & (S_IWGRP | S_IWOTH)) != 0) {
		bm_strbuf_printf(warnings,
				"%s: others may change it (mode %04o); chmod go-w it, passwords "
				"decide whom we talk to\n",
				path, (unsigned)(mode & 07777));
	} else if ((mode & S_IROTH) != 0) {
		bm_strbuf_printf(warnings,
				"%s: everyone on its host may read the passwords (mode %04o); "
				"chmod it to 0600, or to 0640 with a group of the machine's user\n",
				path, (unsigned)(mode & 07777));
	}
}

/* Returns 1 when the Secret is there and sound, 0 when there is none, -1 on error. */
static int inspect(const char *path, struct bm_strbuf *warnings, struct bm_error *err)
{
	struct stat info;

	if (stat(path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
		bm_strbuf_printf(warnings,
				"%s: is not there; databases that ask for a password will refuse "
				"us until it is provided (one host:port:database:user:password a "
				"line)\n",
				path);
		return 0;
	}
	if (stat(path, &info) != 0) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"cannot reach '%s': %m; let the machine's user (uid %u) read it",
				path, (unsigned)geteuid());
	}
	if (!S_ISREG(info.st_mode)) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"'%s' is not a regular file; provide the passwords as a file",
				path);
	}
	check_rights(path, info.st_mode, warnings);
	return 1;
}

static int load(const char *path, struct bm_strbuf *text, struct bm_error *err)
{
	if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"cannot read '%s': %m; let the machine's user read it: in Kubernetes "
				"with fsGroup and defaultMode 0440, elsewhere with chown %u",
				path, (unsigned)geteuid());
	}
	return bm_file_load(path, LIMIT_BYTES, text, err);
}

/* Whether `path` has this content and the rights that libpq wants. */
static bool is_equal(const char *path, const struct bm_strbuf *text)
{
	struct bm_strbuf old = BM_STRBUF_INIT;
	struct stat info;
	bool equal = lstat(path, &info) == 0 && S_ISREG(info.st_mode) &&
			(info.st_mode & 07777) == COPY_MODE && info.st_uid == geteuid() &&
			bm_file_load(path, LIMIT_BYTES, &old, NULL) == 0 &&
			old.length == text->length &&
			memcmp(bm_strbuf_text(&old), bm_strbuf_text(text), old.length) == 0;

	if (old.text != NULL) {
		explicit_bzero(old.text, old.capacity);
	}
	bm_strbuf_finish(&old);
	return equal;
}

int bm_pgpass_refresh(const char *from, const char *to, struct bm_strbuf *warnings,
		struct bm_error *err)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	int rc = inspect(from, warnings, err);

	if (rc <= 0) {
		return rc;
	}
	rc = load(from, &text, err);
	if (rc == 0) {
		bm_pgpass_check(from, bm_strbuf_text(&text), text.length, warnings);
		if (!is_equal(to, &text)) {
			rc = bm_file_replace(
					to, bm_strbuf_text(&text), text.length, COPY_MODE, err);
			rc = rc == 0 ? 1 : -1;
		}
	}
	if (text.text != NULL) {
		explicit_bzero(text.text, text.capacity);
	}
	bm_strbuf_finish(&text);
	return rc;
}
