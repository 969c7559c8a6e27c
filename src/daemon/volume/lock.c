/* The advisory lock of a volume. */
#include "daemon/volume/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"

/* Who holds it, as the holder wrote it; one printable line. */
static void read_holder(int fd, char *text, size_t size)
{
	ssize_t length = pread(fd, text, size - 1, 0);

	text[length > 0 ? length : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	for (char *p = text; *p != '\0'; p++) {
		*p = *p < ' ' || *p > '~' ? '?' : *p;
	}
}

static void write_holder(int fd)
{
	char host[128] = "";
	char when[BM_CLOCK_TEXT_SIZE];
	char line[256];

	gethostname(host, sizeof(host) - 1);
	int length = snprintf(line, sizeof(line), "pid %d on %s since %s\n", (int)getpid(),
			host, bm_clock_format(bm_clock_wall_msec(), when));
	/* Only a message for people hangs on it, so a full disk is no reason to stop. */
	if (ftruncate(fd, 0) != 0 || pwrite(fd, line, (size_t)length, 0) != length) {
		return;
	}
}

int bm_lock_take(const char *volume, struct bm_error *err)
{
	char *path = bm_format("%s/lock", volume);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		bm_error_set(err, BM_ERR_IO, "cannot open '%s': %m", path);
	} else if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		write_holder(fd);
	} else {
		char holder[200];
		enum bm_error_code code = errno == EWOULDBLOCK ? BM_ERR_PRECONDITION
							       : BM_ERR_IO;
		if (code == BM_ERR_IO) {
			bm_error_set(err, code, "cannot lock '%s': %m", path);
		} else {
			read_holder(fd, holder, sizeof(holder));
			bm_error_set(err, code, "'%s' is locked by a live machine (%s)", path,
					holder[0] != '\0' ? holder : "it did not say which");
		}
		close(fd);
		fd = -1;
	}
	free(path);
	return fd;
}

bool bm_lock_is_of(int fd, const char *volume)
{
	char *path = bm_format("%s/lock", volume);
	struct stat held, present;
	bool same = fstat(fd, &held) == 0 && stat(path, &present) == 0 &&
			held.st_dev == present.st_dev && held.st_ino == present.st_ino;

	free(path);
	return same;
}
