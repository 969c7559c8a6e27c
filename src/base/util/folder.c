/* Another name for a folder. */
#include "bucardo_machine/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

bool bm_folder_is_plain(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789/._-";
	size_t limit = sizeof(((struct sockaddr_un *)NULL)->sun_path) - BM_FOLDER_ROOM;

	return path[0] == '/' && path[strspn(path, plain)] == '\0' && strlen(path) < limit;
}

int bm_folder_open(
		const char *path, int *fd, char name[BM_FOLDER_NAME_SIZE], struct bm_error *err)
{
	int found = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (found < 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot open the folder '%s': %m", path);
	}
	if (*fd < 0) {
		*fd = found;
	} else {
		int rc = dup3(found, *fd, O_CLOEXEC);
		close(found);
		if (rc < 0) {
			return bm_error_set(err, BM_ERR_IO, "cannot open the folder '%s': %m",
					path);
		}
	}
	snprintf(name, BM_FOLDER_NAME_SIZE, "/proc/%d/fd/%d", (int)getpid(), *fd);
	return 0;
}
