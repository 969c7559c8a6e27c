/* What this host says of itself, and what the machine knows already. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "worker/doctor/facts.h"

/* ---- the volume ---- */

int bm_fact_volume(
		struct bm_phase *phase, enum bm_side side, json_t *rows, struct bm_error *err)
{
	PGresult *result = bm_phase_ask(phase, side, "SHOW data_directory", 0, NULL, err);
	struct statvfs space;

	if (result == NULL) {
		return -1;
	}
	const char *path = PQgetvalue(result, 0, 0);
	int rc = statvfs(path, &space);
	if (rc != 0) {
		bm_error_set(err, BM_ERR_IO, "cannot ask for the room at '%s': %m", path);
	} else {
		double all = (double)space.f_blocks * (double)space.f_frsize;
		double left = (double)space.f_bavail * (double)space.f_frsize;
		json_array_append_new(rows,
				json_pack("{s:s, s:I, s:I, s:f}", "path", path, "free_bytes",
						(json_int_t)left, "all_bytes", (json_int_t)all,
						"free_percent",
						all > 0 ? left * 100.0 / all : 100.0));
	}
	PQclear(result);
	return rc;
}

/* ---- memory ---- */

/* The first number of a small file, after `word` when it is not NULL; -1: there is none. */
static int64_t number_in(const char *path, const char *word)
{
	char line[256];
	int64_t number = -1;
	FILE *file = fopen(path, "re");

	while (file != NULL && number < 0 && fgets(line, sizeof(line), file) != NULL) {
		const char *at = word != NULL ? strstr(line, word) : line;
		if (at == line && strncmp(line, "max", 3) != 0) {
			number = strtoll(line + (word != NULL ? strlen(word) : 0), NULL, 10);
		}
	}
	if (file != NULL) {
		fclose(file);
	}
	return number;
}

/* Where our control group for memory is: of version 1, or 2. */
static bool find_group(char *folder, size_t size, bool *is_first_version)
{
	char line[768], path[512];
	bool found = false;
	FILE *file = fopen("/proc/self/cgroup", "re");

	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
		const char *memory = strstr(line, ":memory:");
		*is_first_version = memory != NULL;
		if (memory != NULL && sscanf(memory, ":memory:%511s", path) == 1) {
			snprintf(folder, size, "/sys/fs/cgroup/memory%s", path);
			found = true;
		} else if (sscanf(line, "0::%511s", path) == 1 &&
				access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) {
			snprintf(folder, size, "/sys/fs/cgroup%s", path);
			found = true;
		}
	}
	if (file != NULL) {
		fclose(file);
	}
	if (found && access(folder, F_OK) != 0) { /* a container sees its own as the root */
		snprintf(folder, size,
				*is_first_version ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup");
	}
	return found;
}

struct memory {
	int64_t limit, used; /* bytes; used without what the kernel may drop; -1 unknown */
	bool is_group;	     /* the limit is the control group's, else the host's */
};

static struct memory read_memory(void)
{
	struct memory memory = {.limit = -1, .used = -1};
	char folder[640], path[704];
	bool is_first = false;
	int64_t host = number_in("/proc/meminfo", "MemTotal:");

	if (find_group(folder, sizeof(folder), &is_first)) {
		snprintf(path, sizeof(path), "%s/%s", folder,
				is_first ? "memory.limit_in_bytes" : "memory.max");
		memory.limit = number_in(path, NULL);
		snprintf(path, sizeof(path), "%s/memory.stat", folder);
		memory.used = number_in(path, is_first ? "rss " : "anon ");
	}
	host = host > 0 ? host * 1024 : -1;
	memory.is_group = memory.limit > 0 && (host < 0 || memory.limit < host);
	memory.limit = memory.is_group ? memory.limit : host;
	return memory;
}

/* `rows` are the KIDs by now. */
int bm_fact_memory(
		struct bm_phase *phase, enum bm_side side, json_t *rows, struct bm_error *err)
{
	struct memory memory = read_memory();
	char path[64];
	size_t index;
	json_t *row;

	(void)phase;
	(void)side;
	if (memory.limit <= 0) {
		return bm_error_set(err, BM_ERR_IO,
				"the kernel does not tell how much memory there is");
	}
	json_array_foreach(rows, index, row)
	{
		snprintf(path, sizeof(path), "/proc/%d/status",
				(int)json_integer_value(json_object_get(row, "pid")));
		int64_t rss = number_in(path, "VmRSS:");
		if (rss >= 0) {
			json_object_set_new(row, "rss_bytes", json_integer(rss * 1024));
			json_object_set_new(row, "percent",
					json_real((double)rss * 1024 * 100.0 /
							(double)memory.limit));
		}
		json_object_set_new(row, "limit_bytes", json_integer(memory.limit));
		json_object_set_new(row, "limit_of",
				json_string(memory.is_group ? "the control group"
							    : "the host"));
	}
	if (memory.is_group && memory.used >= 0) {
		json_array_append_new(rows,
				json_pack("{s:I, s:I, s:f}", "used_bytes",
						(json_int_t)memory.used, "limit_bytes",
						(json_int_t)memory.limit, "used_percent",
						(double)memory.used * 100.0 /
								(double)memory.limit));
	}
	return 0;
}

/* ---- what the request says ---- */

static const json_t *known_list(const json_t *known, const char *name)
{
	const json_t *reconcile = json_object_get(known, "reconcile");

	return strcmp(name, "sequences") == 0
			? json_object_get(json_object_get(reconcile, "sequences"), "failed")
			: json_object_get(reconcile, name);
}

int bm_fact_known(struct bm_phase *phase, const char *name, json_t *rows)
{
	const json_t *known = json_object_get(phase->request.root, "known");

	if (strcmp(name, "phase") == 0) {
		json_t *record = json_object_get(known, "phase");
		return json_is_object(record) ? json_array_append(rows, record) : 0;
	}
	if (strcmp(name, "receivers") == 0) {
		json_t *list = json_object_get(known, name);
		return json_is_array(list) ? json_array_extend(rows, list) : 0;
	}
	if (!json_is_object(json_object_get(known, "reconcile"))) {
		return -1;
	}
	const json_t *found = known_list(known, name);
	if (json_is_object(found)) {
		return json_array_append(rows, (json_t *)(uintptr_t)found);
	}
	return json_is_array(found) ? json_array_extend(rows, (json_t *)(uintptr_t)found) : 0;
}
