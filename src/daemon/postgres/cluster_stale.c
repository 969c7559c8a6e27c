/*
 * What a dead machine can leave behind, cleared before the next start.
 *
 * The processes decide, not the pid files: every process of a cluster has the
 * data folder as its working directory. Pids in files repeat at every boot of a
 * container and say little. A server in another container on the same volume
 * cannot be seen from here; the lock of the volume keeps that one away.
 */
#include "daemon/postgres/cluster.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/file.h"

/* Since when leftovers were seen without a pause, over calls: only for the escalation. */
static uint64_t waiting_since_msec;

/* What a process is by its title: a postmaster keeps its arguments, its children set theirs. */
static enum bm_cluster_process kind_by_title(const char *title)
{
	size_t length = strcspn(title, " ");
	const char *slash = memrchr(title, '/', length);
	const char *program = slash != NULL ? slash + 1 : title;

	length -= (size_t)(program - title);
	if (length == strlen("postgres:") && strncmp(program, "postgres:", length) == 0) {
		return BM_CLUSTER_BACKEND;
	}
	bool is_server = length == strlen("postgres") &&
			strncmp(program, "postgres", length) == 0;
	return is_server ? BM_CLUSTER_POSTMASTER : BM_CLUSTER_NOT_OURS;
}

enum bm_cluster_process bm_cluster_classify(
		const struct bm_process *process, const char *data_dir, uid_t uid)
{
	if (process->uid != uid || process->state == 'Z' ||
			strcmp(process->cwd, data_dir) != 0) {
		return BM_CLUSTER_NOT_OURS;
	}
	return kind_by_title(process->title);
}

/*
 * A postmaster is asked for a fast shutdown, then an immediate one. Its children
 * notice its death by themselves, unless they are in the middle of something:
 * they still hold the shared memory, and the next postmaster would refuse to start.
 */
int bm_cluster_stop_signal(enum bm_cluster_process kind, uint64_t waited_msec)
{
	if (kind == BM_CLUSTER_POSTMASTER) {
		return waited_msec < 5000 ? SIGINT : waited_msec < 15000 ? SIGQUIT : SIGKILL;
	}
	return waited_msec < 1000 ? 0 : waited_msec < 3000 ? SIGQUIT : SIGKILL;
}

struct search {
	const char *data_dir; /* as /proc shows it */
	enum bm_cluster_process kind;
	uint64_t waited_msec;
	unsigned found;
};

static bool end_process(void *ctx, const struct bm_process *process)
{
	struct search *search = ctx;
	enum bm_cluster_process kind = bm_cluster_classify(
			process, search->data_dir, geteuid());

	if (kind == search->kind) {
		int signo = bm_cluster_stop_signal(kind, search->waited_msec);
		search->found++;
		if (signo != 0) {
			bm_process_signal(process->pid, process->start_time, signo, NULL);
		}
	}
	return true;
}

/* Ask what is left to end; true while there is something. Backends only when there is no
 * postmaster, whose business they are. */
static bool end_leftovers(const char *data_dir)
{
	uint64_t now = bm_clock_msec();
	uint64_t since = waiting_since_msec != 0 ? waiting_since_msec : now;
	struct search search = {
			.data_dir = data_dir,
			.kind = BM_CLUSTER_POSTMASTER,
			.waited_msec = now - since,
	};

	bm_process_each(end_process, &search);
	if (search.found == 0) {
		search.kind = BM_CLUSTER_BACKEND;
		bm_process_each(end_process, &search);
	}
	waiting_since_msec = search.found > 0 ? since : 0;
	return search.found > 0;
}

/* The first line of a lock file of PostgreSQL: the pid; 0 when there is none. */
static pid_t pid_in(const char *path)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	pid_t pid = 0;

	if (bm_file_load(path, 8192, &text, NULL) == 0) {
		pid = (pid_t)strtol(bm_strbuf_text(&text), NULL, 10);
	}
	bm_strbuf_finish(&text);
	return pid;
}

static bool is_postgres(pid_t pid)
{
	struct bm_process process;

	return pid > 0 && bm_process_read(pid, &process, NULL) == 0 && process.state != 'Z' &&
			kind_by_title(process.title) != BM_CLUSTER_NOT_OURS;
}

static int remove_file(const char *path, struct bm_error *err)
{
	if (unlink(path) != 0 && errno != ENOENT) {
		return bm_error_set(err, BM_ERR_IO, "cannot remove the stale '%s': %m", path);
	}
	return 0;
}

/* A socket and its lock outlive the server when the runtime folder outlives the container's
 * start (an emptyDir does); a server of another cluster may own them, and keeps them. */
static int clear_socket(const char *socket_dir, const char *lock_name, struct bm_error *err)
{
	char *lock = bm_format("%s/%s", socket_dir, lock_name);
	char *socket = bm_format("%s/%.*s", socket_dir,
			(int)(strlen(lock_name) - strlen(".lock")), lock_name);
	int rc = 0;

	if (!is_postgres(pid_in(lock)) &&
			(remove_file(socket, err) != 0 || remove_file(lock, err) != 0)) {
		rc = -1;
	}
	free(socket);
	free(lock);
	return rc;
}

static bool is_socket_lock(const char *name)
{
	size_t length = strlen(name);

	return strncmp(name, ".s.PGSQL.", 9) == 0 && length > 14 &&
			strcmp(name + length - 5, ".lock") == 0;
}

static int clear_sockets(const char *socket_dir, struct bm_error *err)
{
	DIR *folder = opendir(socket_dir);
	int rc = 0;

	for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
		if (is_socket_lock(entry->d_name) &&
				clear_socket(socket_dir, entry->d_name, err) != 0) {
			rc = -1;
		}
	}
	if (folder != NULL) {
		closedir(folder);
	}
	return rc;
}

/* Kubernetes' fsGroup gives the group all rights at each mount, which PostgreSQL refuses. */
static int narrow_rights(const char *data_dir, struct bm_error *err)
{
	struct stat info;

	if (stat(data_dir, &info) == 0 && (info.st_mode & 0027) != 0 &&
			chmod(data_dir, 0700) != 0) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"others may write into '%s', and it cannot be changed: %s",
				data_dir, strerror(errno));
	}
	return 0;
}

int bm_cluster_clear_stale(const struct bm_cluster_paths *paths, struct bm_error *err)
{
	char *data_dir = realpath(paths->data_dir, NULL);
	int rc = 0;

	if (data_dir == NULL) {
		return errno == ENOENT ? 0
				       : bm_error_set(err, BM_ERR_IO, "cannot look at '%s': %m",
							 paths->data_dir);
	}
	if (end_leftovers(data_dir)) {
		rc = 1;
	} else {
		char *pid_file = bm_format("%s/postmaster.pid", data_dir);
		rc = remove_file(pid_file, err);
		free(pid_file);
		if (rc == 0 && clear_sockets(paths->socket_dir, err) != 0) {
			rc = -1;
		}
		if (rc == 0) {
			rc = narrow_rights(data_dir, err);
		}
	}
	free(data_dir);
	return rc;
}
