/* What a volume looks like before anything on it is touched. */
#include "daemon/volume/volume.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/macros.h"

/* initdb writes 40 MB with one 16 MB WAL segment; a start needs room for one more. */
#define FREE_BYTES_TO_CREATE ((uint64_t)96 << 20)
#define FREE_BYTES_TO_START ((uint64_t)32 << 20)

struct place {
	const char *volume, *data_dir;
	unsigned major;
};

/* A check returns true when its state applies, with the sentence in report->why. */
typedef bool check_fn(const struct place *place, struct bm_volume_report *report);

#define SAY(report, ...) snprintf((report)->why, sizeof((report)->why), __VA_ARGS__)

static bool is_root_user(const struct place *place, struct bm_volume_report *report)
{
	(void)place;
	if (geteuid() != 0) {
		return false;
	}
	SAY(report, "the machine runs as root, and PostgreSQL refuses to do so");
	return true;
}

static bool is_missing(const struct place *place, struct bm_volume_report *report)
{
	struct stat info;

	if (stat(place->volume, &info) == 0 && S_ISDIR(info.st_mode)) {
		return false;
	}
	SAY(report, "there is no folder at '%s'", place->volume);
	return true;
}

static bool is_read_only(const struct place *place, struct bm_volume_report *report)
{
	struct statvfs info;

	if (statvfs(place->volume, &info) != 0 || (info.f_flag & ST_RDONLY) == 0) {
		return false;
	}
	SAY(report, "the volume '%s' is mounted read-only", place->volume);
	return true;
}

static bool is_not_writable(const struct place *place, struct bm_volume_report *report)
{
	struct stat info;
	const char *path = place->volume;

	if (access(path, R_OK | W_OK | X_OK) == 0) {
		/* A cluster that belongs to somebody else is just as unusable. */
		path = place->data_dir;
		if (stat(path, &info) != 0 || info.st_uid == geteuid()) {
			return false;
		}
	}
	if (stat(path, &info) != 0) {
		SAY(report, "'%s' cannot be read: %s", path, strerror(errno));
		return true;
	}
	SAY(report, "'%s' belongs to uid %u (mode %04o), the machine runs as uid %u", path,
			info.st_uid, info.st_mode & 07777u, geteuid());
	return true;
}

static bool is_full(const struct place *place, struct bm_volume_report *report)
{
	struct statvfs info;
	bool has_cluster = bm_file_exists(place->data_dir);
	uint64_t needed = has_cluster ? FREE_BYTES_TO_START : FREE_BYTES_TO_CREATE;

	if (statvfs(place->volume, &info) != 0) {
		return false;
	}
	uint64_t available = (uint64_t)info.f_bavail * info.f_frsize;
	if (available >= needed) {
		return false;
	}
	SAY(report, "the volume '%s' has %" PRIu64 " MB free, %" PRIu64 " MB are needed",
			place->volume, available >> 20, needed >> 20);
	return true;
}

/* "9.6", "17": what PostgreSQL packages name a folder of one major. */
static bool is_version_name(const char *name)
{
	return isdigit((unsigned char)name[0]) && strspn(name, "0123456789.") == strlen(name);
}

static bool contains(const char *folder, const char *name)
{
	char *path = bm_format("%s/%s", folder, name);
	bool found = bm_file_exists(path);

	free(path);
	return found;
}

/* The original kept its cluster in <version>/main and a marker beside it. */
static bool is_original(const struct place *place, struct bm_volume_report *report)
{
	bool found = contains(place->volume, ".init_complete");
	DIR *folder = found ? NULL : opendir(place->volume);
	struct dirent *entry;

	while (folder != NULL && !found && (entry = readdir(folder)) != NULL) {
		char *path = bm_format("%s/%s", place->volume, entry->d_name);
		found = is_version_name(entry->d_name) && contains(path, "main");
		free(path);
	}
	if (folder != NULL) {
		closedir(folder);
	}
	if (found) {
		SAY(report, "the volume '%s' holds data of the original bucardo machine",
				place->volume);
	}
	return found;
}

/* A cluster of another major beside a missing one of ours. */
static bool find_other_major(const struct place *place, char *name, size_t size)
{
	char *parent = bm_format("%s/postgres", place->volume);
	DIR *folder = bm_file_exists(place->data_dir) ? NULL : opendir(parent);
	struct dirent *entry;
	bool found = false;

	while (folder != NULL && !found && (entry = readdir(folder)) != NULL) {
		if (is_version_name(entry->d_name)) {
			snprintf(name, size, "%s", entry->d_name);
			found = true;
		}
	}
	if (folder != NULL) {
		closedir(folder);
	}
	free(parent);
	return found;
}

static bool is_foreign_major(const struct place *place, struct bm_volume_report *report)
{
	char other[256];

	if (find_other_major(place, other, sizeof(other))) {
		SAY(report, "the control cluster on '%s' is of PostgreSQL %s, this machine has %u",
				place->volume, other, place->major);
		return true;
	}
	struct bm_strbuf why = BM_STRBUF_INIT;
	report->cluster = bm_cluster_inspect(place->data_dir, place->major, &why);
	SAY(report, "%s", bm_strbuf_text(&why));
	bm_strbuf_finish(&why);
	return report->cluster == BM_CLUSTER_FOREIGN;
}

static bool is_damaged(const struct place *place, struct bm_volume_report *report)
{
	(void)place; /* is_foreign_major() has looked already and left the reason */
	return report->cluster == BM_CLUSTER_DAMAGED;
}

/* In this order: the first that applies is the state. */
static const struct state_row {
	enum bm_volume_state state;
	const char *name;
	check_fn *applies;
	const char *hint;
} state_rows[] = {
		{BM_VOLUME_ROOT_USER, "root-user", is_root_user,
				"start it as another user: runAsUser in Kubernetes, --user in Docker, "
				"setpriv or su elsewhere"},
		{BM_VOLUME_MISSING, "missing", is_missing,
				"mount the volume there, or name the right folder with --volume"},
		{BM_VOLUME_READ_ONLY, "read-only", is_read_only,
				"mount it writable; a disk that turned read-only by itself wants a "
				"file system check"},
		{BM_VOLUME_NOT_WRITABLE, "not-writable", is_not_writable,
				"give it to the machine's user: fsGroup in Kubernetes, chown elsewhere"},
		{BM_VOLUME_ORIGINAL, "original", is_original,
				"give this machine a volume of its own; the original's data is not "
				"touched"},
		{BM_VOLUME_FOREIGN_MAJOR, "foreign-major", is_foreign_major,
				"use the image with that PostgreSQL major, or give this one a new "
				"volume"},
		{BM_VOLUME_DAMAGED, "damaged", is_damaged,
				"restore the volume from a backup, or move the folder away to begin "
				"anew: the databases themselves are not concerned"},
		{BM_VOLUME_FULL, "full", is_full,
				"enlarge the volume or remove what is not needed on it"},
};

void bm_volume_inspect(const char *volume, const char *data_dir, unsigned major,
		struct bm_volume_report *report)
{
	struct place place = {volume, data_dir, major};

	*report = (struct bm_volume_report){.cluster = BM_CLUSTER_ABSENT, .hint = ""};
	for (size_t i = 0; i < BM_COUNT_OF(state_rows); i++) {
		if (state_rows[i].applies(&place, report)) {
			report->state = state_rows[i].state;
			report->hint = state_rows[i].hint;
			return;
		}
	}
	report->state = BM_VOLUME_USABLE;
	report->why[0] = '\0';
}

const char *bm_volume_state_name(enum bm_volume_state state)
{
	static_assert(BM_COUNT_OF(state_rows) == BM_VOLUME_STATE_COUNT - 1,
			"a volume state has no row");

	for (size_t i = 0; i < BM_COUNT_OF(state_rows); i++) {
		if (state_rows[i].state == state) {
			return state_rows[i].name;
		}
	}
	return "usable";
}
