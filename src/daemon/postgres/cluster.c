/* Where PostgreSQL's programs are, and how the control cluster's server is called. */
#include "bucardo_machine/postgres.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"

#define PACKAGES "/usr/lib/postgresql"

/* ---- finding the programs ---- */

static bool has_programs(const char *bin_dir)
{
	static const char *const programs[] = {"postgres", "initdb"};
	bool all = true;

	for (size_t i = 0; all && i < BM_COUNT_OF(programs); i++) {
		char *path = bm_format("%s/%s", bin_dir, programs[i]);
		all = access(path, X_OK) == 0;
		free(path);
	}
	return all;
}

/* What `postgres --version` would print stands in the program; 0 when it does not. */
static unsigned major_in_program(const char *program, size_t size)
{
	static const char mark[] = "postgres (PostgreSQL) ";
	const char *found = memmem(program, size, mark, sizeof(mark) - 1);
	char number[8] = "";

	if (found == NULL || found + sizeof(mark) + sizeof(number) > program + size) {
		return 0;
	}
	memcpy(number, found + sizeof(mark) - 1, sizeof(number) - 1);
	return (unsigned)strtoul(number, NULL, 10);
}

/* Of a folder whose name says nothing. Read, not run: the daemon waits for no child here. */
static unsigned major_of(const char *bin_dir)
{
	char *path = bm_format("%s/postgres", bin_dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat info;
	unsigned major = 0;

	free(path);
	if (fd < 0) {
		return 0;
	}
	if (fstat(fd, &info) == 0 && info.st_size > 0) {
		size_t size = (size_t)info.st_size;
		void *program = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (program != MAP_FAILED) {
			major = major_in_program(program, size);
			munmap(program, size);
		}
	}
	close(fd);
	return major;
}

static unsigned newest_package(void)
{
	DIR *folder = opendir(PACKAGES);
	unsigned newest = 0;

	for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
		unsigned major = (unsigned)strtoul(entry->d_name, NULL, 10);
		char *bin_dir = bm_format(PACKAGES "/%u/bin", major);
		if (major > newest && has_programs(bin_dir)) {
			newest = major;
		}
		free(bin_dir);
	}
	if (folder != NULL) {
		closedir(folder);
	}
	return newest;
}

int bm_cluster_find(char *bin_dir, size_t size, unsigned *major, struct bm_error *err)
{
	const char *given = getenv("BUCARDO_MACHINE_PGBIN");
	int length;

	if (given != NULL && given[0] != '\0') {
		*major = has_programs(given) ? major_of(given) : 0;
		if (*major == 0) {
			return bm_error_set(err, BM_ERR_CONFIG,
					"BUCARDO_MACHINE_PGBIN names '%s', which holds no "
					"postgres and initdb",
					given);
		}
		length = snprintf(bin_dir, size, "%s", given);
	} else {
		*major = newest_package();
		if (*major == 0) {
			return bm_error_set(err, BM_ERR_PRECONDITION,
					"no PostgreSQL server in '" PACKAGES "/*/bin': install "
					"one, or name its folder in BUCARDO_MACHINE_PGBIN");
		}
		length = snprintf(bin_dir, size, PACKAGES "/%u/bin", *major);
	}
	if (length < 0 || (size_t)length >= size) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"the path of PostgreSQL's programs is "
				"too long");
	}
	return 0;
}

/* ---- calling the server ---- */

/*
 * A database of a few hundred rows with a few clients: small in memory,
 * quick to recover, and safe. In argv and not in postgresql.conf, so that a new
 * version of the machine brings its own, and what the user asks for (which comes
 * after them) wins by standing last.
 */
static const char *const settings_of_ours[] = {
		"listen_addresses=",
		"unix_socket_permissions=0700",
		/* Our log has the time. */
		"log_destination=stderr",
		"logging_collector=off",
		"log_line_prefix=[%p] %q%u@%d ",
		"log_checkpoints=off",
		"log_timezone=UTC",
		/* Memory. */
		"shared_buffers=4MB",
		"huge_pages=off",
		"maintenance_work_mem=16MB",
		/* At rest a migration has three sessions; as many locks as 100 sessions have.
		 */
		"max_connections=200",
		"max_locks_per_transaction=32",
		"max_pred_locks_per_transaction=10",
		"jit=off",
		/* Processes that would have nothing to do. */
		"max_parallel_workers_per_gather=0",
		"max_parallel_maintenance_workers=0",
		"max_logical_replication_workers=0",
		"max_worker_processes=0",
		"autovacuum_max_workers=1",
		/* No replica, no archive; a crash has at most this much to replay. */
		"wal_level=minimal",
		"max_wal_senders=0",
		"min_wal_size=32MB",
		"max_wal_size=64MB",
		/* Safety, said aloud: it is the machine's memory. */
		"fsync=on",
		"full_page_writes=on",
		"synchronous_commit=on",
};

static size_t count_settings(const char *const *settings)
{
	size_t count = 0;

	while (settings != NULL && settings[count] != NULL) {
		count++;
	}
	return count;
}

static size_t add_setting(char **argv, size_t used, char *setting)
{
	argv[used++] = bm_strdup("-c");
	argv[used++] = setting;
	return used;
}

char **bm_cluster_argv(const struct bm_cluster_paths *paths, const char *const *settings)
{
	size_t ours = BM_COUNT_OF(settings_of_ours);
	size_t theirs = count_settings(settings);
	char **argv = bm_alloc((4 + 2 * (1 + ours + theirs)) * sizeof(*argv));
	size_t used = 0;

	argv[used++] = bm_format("%s/postgres", paths->bin_dir);
	argv[used++] = bm_strdup("-D");
	argv[used++] = bm_strdup(paths->data_dir);
	used = add_setting(
			argv, used, bm_format("unix_socket_directories=%s", paths->socket_dir));
	for (size_t i = 0; i < ours; i++) {
		used = add_setting(argv, used, bm_strdup(settings_of_ours[i]));
	}
	for (size_t i = 0; i < theirs; i++) {
		used = add_setting(argv, used, bm_strdup(settings[i]));
	}
	argv[used] = NULL;
	return argv;
}

void bm_cluster_argv_free(char **argv)
{
	for (size_t i = 0; argv != NULL && argv[i] != NULL; i++) {
		free(argv[i]);
	}
	free(argv);
}
