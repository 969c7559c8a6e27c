/* Processes as /proc shows them, and signals that cannot hit a reused pid. */
#include "base/event/loop.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Open a path with the reserve's help; what is lent comes back with bm_reserve_fill(). */
static int open_at(int folder, const char *path, int flags)
{
	int fd = openat(folder, path, flags | O_CLOEXEC);

	if (fd < 0 && bm_reserve_lend()) {
		fd = openat(folder, path, flags | O_CLOEXEC);
	}
	return fd;
}

/* Read a small file of /proc into `out`, terminated; its length or -1. */
static ssize_t slurp(int folder, const char *name, char *out, size_t size)
{
	int fd = open_at(folder, name, O_RDONLY);

	if (fd < 0) {
		return -1;
	}
	ssize_t length = read(fd, out, size - 1);
	int saved_errno = errno;
	close(fd);
	errno = saved_errno;
	out[length < 0 ? 0 : length] = '\0';
	return length;
}

/* "PID (NAME) S PPID PGRP SESSION ..."; the name may hold blanks and brackets. */
static int parse_stat(const char *text, struct bm_process *out, char *name, size_t name_size)
{
	const char *open = strchr(text, '(');
	const char *close = strrchr(text, ')');
	int parent, session;
	uint64_t user, system;

	if (open == NULL || close == NULL ||
			sscanf(close,
					") %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %" SCNu64
					" %" SCNu64 " %*d %*d %*d %*d %*d %*d %" SCNu64,
					&out->state, &parent, &session, &user, &system,
					&out->start_time) != 6) {
		errno = EIO;
		return -1;
	}
	out->cpu_ticks = user + system;
	out->parent = parent;
	out->session = session;
	snprintf(name, name_size, "[%.*s]", (int)(close - open - 1), open + 1);
	return 0;
}

static void read_title(int folder, const char *name, struct bm_process *out)
{
	ssize_t length = slurp(folder, "cmdline", out->title, sizeof(out->title));

	/* A program that writes its own title leaves a tail of terminators or blanks. */
	while (length > 0 &&
			(out->title[length - 1] == '\0' || out->title[length - 1] == ' ')) {
		length--;
	}
	if (length <= 0) { /* a zombie or a thread of the kernel: as ps shows it */
		snprintf(out->title, sizeof(out->title), "%s", name);
		return;
	}
	out->title[length] = '\0';
	for (ssize_t i = 0; i < length; i++) {
		if (out->title[i] == '\0') {
			out->title[i] = ' ';
		}
	}
}

static int read_from(int folder, struct bm_process *out)
{
	char text[1024], name[64];
	struct stat info;

	if (slurp(folder, "stat", text, sizeof(text)) <= 0 ||
			parse_stat(text, out, name, sizeof(name)) != 0 ||
			fstat(folder, &info) != 0) {
		return -1;
	}
	out->uid = info.st_uid;
	read_title(folder, name, out);
	ssize_t length = readlinkat(folder, "cwd", out->cwd, sizeof(out->cwd) - 1);
	out->cwd[length < 0 ? 0 : length] = '\0';
	return 0;
}

int bm_process_read(pid_t pid, struct bm_process *out, struct bm_error *err)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	int folder = open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY);
	int result = folder < 0 ? -1 : read_from(folder, out);
	out->pid = pid;
	if (result != 0) {
		bm_error_set(err, BM_ERR_IO, "cannot read process %d: %m", (int)pid);
	}
	if (folder >= 0) {
		close(folder);
	}
	bm_reserve_fill();
	return result;
}

void bm_process_each(bool (*cb)(void *ctx, const struct bm_process *process), void *ctx)
{
	int fd = open_at(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct bm_process process;
	struct bm_error ignored;
	const struct dirent *entry;

	if (folder == NULL) {
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		if (isdigit((unsigned char)entry->d_name[0]) &&
				bm_process_read((pid_t)atoi(entry->d_name), &process,
						&ignored) == 0 &&
				!cb(ctx, &process)) {
			break;
		}
	}
	closedir(folder);
	bm_reserve_fill();
}

static bool is_other(pid_t pid, uint64_t start_time)
{
	struct bm_process process;

	return start_time != 0 &&
			(bm_process_read(pid, &process, NULL) != 0 ||
					process.start_time != start_time);
}

/* A stopped process would not hear what asks it to end. Others get no CONT that nobody sent. */
static bool must_wake(pid_t pid, int signo)
{
	struct bm_process process;

	return (signo == SIGTERM || signo == SIGINT || signo == SIGQUIT) &&
			bm_process_read(pid, &process, NULL) == 0 &&
			(process.state == 'T' || process.state == 't');
}

int bm_process_open(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0 && bm_reserve_lend()) {
		fd = (int)syscall(SYS_pidfd_open, pid, 0);
	}
	return fd;
}

/* Through `pidfd`, or by number where the kernel (or a seccomp profile) has no pidfd. */
static int deliver(int pidfd, pid_t pid, int signo)
{
	if (pidfd < 0) {
		return kill(pid, signo);
	}
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0);
}

int bm_process_signal(pid_t pid, uint64_t start_time, int signo, struct bm_error *err)
{
	if (pid <= 0) {
		return bm_error_set(err, BM_ERR_INTERNAL, "%d is no process", (int)pid);
	}
	int pidfd = bm_process_open(pid);
	if ((pidfd < 0 && errno == ESRCH) || is_other(pid, start_time)) {
		if (pidfd >= 0) {
			close(pidfd);
		}
		bm_reserve_fill();
		return 0;
	}
	int result = deliver(pidfd, pid, signo);
	if (result == 0 && must_wake(pid, signo)) {
		deliver(pidfd, pid, SIGCONT);
	}
	if (result != 0 && errno != ESRCH) {
		bm_error_set(err, BM_ERR_IO, "cannot send SIG%s to process %d: %m",
				sigabbrev_np(signo), (int)pid);
	} else {
		result = 0;
	}
	if (pidfd >= 0) {
		close(pidfd);
	}
	bm_reserve_fill();
	return result;
}

void bm_process_signal_group(pid_t leader, int signo)
{
	/* ESRCH is the only failure that there can be: it has ended. */
	if (kill(-leader, signo) == 0 && must_wake(leader, signo)) {
		kill(-leader, SIGCONT);
	}
}
