/* Processes, the volume, and what the kernel says of the host and the control group. */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "client/support/bundle.h"

#define MOST_FILES 2000
#define DEEPEST 3

static const char *const kernel_files[] = {"/etc/os-release", "/proc/version", "/proc/uptime",
		"/proc/loadavg", "/proc/pressure/cpu", "/proc/pressure/memory",
		"/proc/pressure/io", "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu.stat",
		"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current",
		"/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/pids.max", "/proc/self/limits",
		"/proc/meminfo"};

/* Files of /proc have no size: as much as one read of it gives. NULs become blanks. */
static void put_file(const char *path, struct bm_strbuf *out)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

	if (fd >= 0) {
		close(fd);
	}
	for (ssize_t i = 0; i < length; i++) {
		bm_strbuf_putc(out, text[i] != '\0' ? text[i] : ' ');
	}
}

static void add_processes(struct bundle *bundle)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	DIR *processes = opendir("/proc");
	const struct dirent *entry;
	char path[300];

	while (processes != NULL && (entry = readdir(processes)) != NULL) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9') {
			continue;
		}
		snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
		put_file(path, &out);
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		bm_strbuf_puts(&out, "\n  ");
		put_file(path, &out);
	}
	if (processes != NULL) {
		closedir(processes);
	}
	bundle_write(bundle, "processes.txt", bm_strbuf_text(&out));
	bm_strbuf_finish(&out);
}

/* nftw() has no place for more: the command has one thread. */
static struct bm_strbuf *listing;
static size_t listed;

static int list(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	char at[BM_CLOCK_TEXT_SIZE];

	bm_strbuf_printf(listing, "%c%03o %u:%u %12lld %s %s\n",
			kind == FTW_D || kind == FTW_DP	 ? 'd'
					: kind == FTW_SL ? 'l'
							 : '-',
			status->st_mode & 0777, status->st_uid, status->st_gid,
			(long long)status->st_size,
			bm_clock_format((int64_t)status->st_mtime * 1000, at), path);
	if (++listed >= MOST_FILES) {
		return FTW_STOP;
	}
	return kind == FTW_D && place->level >= DEEPEST ? FTW_SKIP_SUBTREE : FTW_CONTINUE;
}

static void add_folder(struct bundle *bundle, const char *name, const char *folder)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	struct statvfs room;

	if (statvfs(folder, &room) == 0) {
		bm_strbuf_printf(&out,
				"%s: %llu MiB, %llu MiB free, %llu of %llu inodes free\n",
				folder, (unsigned long long)room.f_blocks * room.f_frsize >> 20,
				(unsigned long long)room.f_bavail * room.f_frsize >> 20,
				(unsigned long long)room.f_favail,
				(unsigned long long)room.f_files);
	}
	listing = &out;
	listed = 0;
	if (nftw(folder, list, 16, FTW_PHYS | FTW_MOUNT | FTW_ACTIONRETVAL) < 0) {
		bundle_fail(bundle, name, "cannot be read");
	}
	bundle_write(bundle, name, bm_strbuf_text(&out));
	bm_strbuf_finish(&out);
}

static void add_host(struct bundle *bundle)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	for (size_t i = 0; i < BM_COUNT_OF(kernel_files); i++) {
		bm_strbuf_printf(&out, "# %s\n", kernel_files[i]);
		put_file(kernel_files[i], &out);
	}
	bundle_write(bundle, "host.txt", bm_strbuf_text(&out));
	bm_strbuf_finish(&out);
}

void bundle_add_system(struct bundle *bundle)
{
	add_processes(bundle);
	add_folder(bundle, "volume.txt", bundle->call->volume);
	add_folder(bundle, "runtime.txt", bundle->call->runtime);
	add_host(bundle);
}
