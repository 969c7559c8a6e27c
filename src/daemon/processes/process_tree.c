/* process_tree - see process_tree.h */
#include "daemon/processes/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/macros.h"

/* More pid files than this are not looked at; one sync has two. */
#define FILES_LIMIT 2048

static pid_t read_pid(const char *piddir, const char *name)
{
	char path[512], text[64];

	if (snprintf(path, sizeof(path), "%s/%s", piddir, name) >= (int)sizeof(path)) {
		return 0;
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0) {
		return 0;
	}
	ssize_t length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0) {
		return 0;
	}
	text[length] = '\0';
	return bucardo_pid_file_pid(text);
}

void tree_each_file(const char *piddir, bool (*cb)(void *ctx, const struct tree_file *file),
		void *ctx)
{
	DIR *dir = opendir(piddir);
	bool more = true;

	if (dir == NULL) {
		return;
	}
	for (struct dirent *entry; more && (entry = readdir(dir)) != NULL;) {
		struct tree_file file;
		if (bucardo_pid_file_name(
				    entry->d_name, &file.role, file.sync, sizeof(file.sync))) {
			file.pid = read_pid(piddir, entry->d_name);
			more = cb(ctx, &file);
		}
	}
	closedir(dir);
}

struct search {
	const char *piddir;
	void (*cb)(void *ctx, const struct bm_process *process, enum bucardo_role role);
	void *ctx;
	size_t count;
	pid_t listed[FILES_LIMIT];
};

static bool record_listed(void *ctx, const struct tree_file *file)
{
	struct search *search = ctx;

	if (file->pid > 0 && search->count < FILES_LIMIT) {
		search->listed[search->count++] = file->pid;
	}
	return true;
}

static bool is_listed(const struct search *search, pid_t pid)
{
	for (size_t i = 0; i < search->count; i++) {
		if (search->listed[i] == pid) {
			return true;
		}
	}
	return false;
}

static bool look_at(void *ctx, const struct bm_process *process)
{
	struct search *search = ctx;
	enum bucardo_role role;

	if (process->state == 'Z' || process->state == 'X' || process->uid != geteuid() ||
			process->pid == getpid() ||
			!bucardo_title_role(process->title, &role)) {
		return true;
	}
	if (process->parent == getpid() || strcmp(process->cwd, search->piddir) == 0 ||
			is_listed(search, process->pid)) {
		search->cb(search->ctx, process, role);
	}
	return true;
}

/* Each live process of the tree; zombies are not. */
static void each_process(const char *piddir,
		void (*cb)(void *ctx, const struct bm_process *process, enum bucardo_role role),
		void *ctx)
{
	struct search search = {.piddir = piddir, .cb = cb, .ctx = ctx};

	tree_each_file(piddir, record_listed, &search);
	bm_process_each(look_at, &search);
}

static void count_one(void *ctx, const struct bm_process *process, enum bucardo_role role)
{
	(void)process;
	(void)role;
	(*(size_t *)ctx)++;
}

size_t tree_count(const char *piddir)
{
	size_t count = 0;

	each_process(piddir, count_one, &count);
	return count;
}

struct signalling {
	int signo;
	enum bucardo_role only;
	size_t count;
};

static void signal_one(void *ctx, const struct bm_process *process, enum bucardo_role role)
{
	struct signalling *s = ctx;

	if (s->only == BUCARDO_ROLE_COUNT || s->only == role) {
		s->count++;
		bm_process_signal(process->pid, process->start_time, s->signo, NULL);
	}
}

size_t tree_signal(const char *piddir, int signo, enum bucardo_role only)
{
	struct signalling s = {signo, only, 0};

	each_process(piddir, signal_one, &s);
	return s.count;
}

void tree_remove_files(const char *piddir)
{
	DIR *dir = opendir(piddir);

	if (dir == NULL) {
		return;
	}
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		enum bucardo_role role;
		char sync[TREE_NAME_SIZE];
		if (bucardo_pid_file_name(entry->d_name, &role, sync, sizeof(sync))) {
			unlinkat(dirfd(dir), entry->d_name, 0);
		}
	}
	closedir(dir);
}

bool tree_remove_vac_file(const char *piddir, pid_t pid)
{
	char path[512];

	if (read_pid(piddir, "bucardo.vac.pid") != pid) {
		return false;
	}
	snprintf(path, sizeof(path), "%s/bucardo.vac.pid", piddir);
	return unlink(path) == 0;
}
