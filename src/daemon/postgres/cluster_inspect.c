/*
 * What stands in the control cluster's folder, found by looking only.
 *
 * The control file is checked because it is what PostgreSQL needs first and what
 * a full or torn disk spoils; what lies deeper is PostgreSQL's own to find.
 */
#include "daemon/postgres/cluster.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/macros.h"

/* The size of global/pg_control since 9.6; what follows the data is zero. */
#define CONTROL_BYTES 8192

/* The head of PostgreSQL's ControlFileData, the same in every version. */
struct control_head {
	uint64_t system_identifier;
	uint32_t version; /* 1300 for PostgreSQL 13 to 16, 1700 for 17 */
	uint32_t catalog; /* yyyymmddN */
	uint32_t state;	  /* enum DBState, 0 to 6 */
};

/* Where the checksum stands in the layouts we know. */
#define CRC_OFFSET 288

char *bm_cluster_temporary(const char *data_dir)
{
	return bm_format("%s.new", data_dir);
}

unsigned bm_cluster_parse_version(const char *text)
{
	char *end = NULL;

	if (text[0] < '1' || text[0] > '9') {
		return 0;
	}
	unsigned long major = strtoul(text, &end, 10);
	/* "9.6" of the original machine: its major is 9 here, foreign in any case. */
	bool ends_well = *end == '\0' || *end == '\n' || *end == '.';
	return ends_well && major < 1000 ? (unsigned)major : 0;
}

uint32_t bm_cluster_crc(const unsigned char *data, size_t length)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < length; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++) {
			crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
		}
	}
	return crc ^ 0xffffffff;
}

static bool layout_is_known(uint32_t version)
{
	return version == 1300 || version == 1700;
}

static bool checksum_is_right(const unsigned char *data)
{
	uint32_t kept;

	memcpy(&kept, data + CRC_OFFSET, sizeof(kept));
	return kept == bm_cluster_crc(data, CRC_OFFSET);
}

bool bm_cluster_control_is_sane(const unsigned char *data, size_t length, struct bm_strbuf *why)
{
	struct control_head head;

	if (length != CONTROL_BYTES) {
		bm_strbuf_printf(why, "'global/pg_control' has %zu bytes instead of %d", length,
				CONTROL_BYTES);
		return false;
	}
	memcpy(&head, data, sizeof(head));
	if (head.system_identifier == 0 || head.version < 900 || head.version > 9900 ||
			head.state > 6) {
		bm_strbuf_printf(why, "'global/pg_control' holds no control data");
		return false;
	}
	if (layout_is_known(head.version) && !checksum_is_right(data)) {
		bm_strbuf_printf(why, "'global/pg_control' has a wrong checksum");
		return false;
	}
	return true;
}

/* 1: nothing in it, 0: something, -1: cannot be read (errno). */
static int folder_is_empty(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	if (folder == NULL) {
		return -1;
	}
	do {
		entry = readdir(folder);
	} while (entry != NULL &&
			(strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	closedir(folder);
	return entry == NULL ? 1 : 0;
}

static bool has_parts(const char *data_dir, struct bm_strbuf *why)
{
	static const char *const parts[] = {"base", "global", "pg_wal", "pg_xact",
			"postgresql.conf", "pg_hba.conf"};
	bool all = true;

	for (size_t i = 0; all && i < BM_COUNT_OF(parts); i++) {
		char *path = bm_format("%s/%s", data_dir, parts[i]);
		all = bm_file_exists(path);
		if (!all) {
			bm_strbuf_printf(why, "'%s' is missing", path);
		}
		free(path);
	}
	return all;
}

static bool control_is_sane(const char *data_dir, struct bm_strbuf *why)
{
	char *path = bm_format("%s/global/pg_control", data_dir);
	struct bm_strbuf data = BM_STRBUF_INIT;
	struct bm_error err = BM_ERROR_INIT;
	bool sane = false;

	if (bm_file_load(path, (size_t)2 * CONTROL_BYTES, &data, &err) != 0) {
		bm_strbuf_printf(why, "%s", err.message);
	} else {
		const char *bytes = bm_strbuf_text(&data);
		sane = bm_cluster_control_is_sane(
				(const unsigned char *)bytes, data.length, why);
	}
	bm_strbuf_finish(&data);
	free(path);
	return sane;
}

static enum bm_cluster_found inspect_content(
		const char *data_dir, unsigned major, struct bm_strbuf *why)
{
	char *path = bm_format("%s/PG_VERSION", data_dir);
	struct bm_strbuf text = BM_STRBUF_INIT;
	struct bm_error err = BM_ERROR_INIT;
	enum bm_cluster_found found = BM_CLUSTER_DAMAGED;

	if (bm_file_load(path, 64, &text, &err) != 0) {
		bm_strbuf_printf(why, "%s", err.message);
	} else {
		unsigned version = bm_cluster_parse_version(bm_strbuf_text(&text));
		if (version == 0) {
			bm_strbuf_printf(why, "'%s' names no version of PostgreSQL", path);
		} else if (version != major) {
			bm_strbuf_printf(why,
					"the data is of PostgreSQL %.8s, the program is %u",
					bm_strbuf_text(&text), major);
			found = BM_CLUSTER_FOREIGN;
		} else if (has_parts(data_dir, why) && control_is_sane(data_dir, why)) {
			found = BM_CLUSTER_USABLE;
		}
	}
	bm_strbuf_finish(&text);
	free(path);
	return found;
}

/* Nothing under the final name; was initdb at work? */
static enum bm_cluster_found inspect_temporary(const char *data_dir, struct bm_strbuf *why)
{
	char *path = bm_cluster_temporary(data_dir);
	bool interrupted = bm_file_exists(path);

	if (interrupted) {
		bm_strbuf_printf(why, "initdb was interrupted and left '%s'", path);
	}
	free(path);
	return interrupted ? BM_CLUSTER_INTERRUPTED : BM_CLUSTER_ABSENT;
}

static enum bm_cluster_found inspect(
		const char *data_dir, unsigned major, struct bm_strbuf *why)
{
	struct stat info;

	if (stat(data_dir, &info) != 0) {
		if (errno == ENOENT) {
			return inspect_temporary(data_dir, why);
		}
		bm_strbuf_printf(why, "cannot look at '%s': %s", data_dir, strerror(errno));
		return BM_CLUSTER_DAMAGED;
	}
	if (S_ISDIR(info.st_mode) && info.st_uid != geteuid()) {
		bm_strbuf_printf(why,
				"'%s' belongs to user id %u, the machine runs as %u: "
				"chown -R it, or run the machine as its owner",
				data_dir, info.st_uid, geteuid());
		return BM_CLUSTER_DAMAGED;
	}
	int empty = folder_is_empty(data_dir);
	if (empty < 0) {
		bm_strbuf_printf(why, "cannot read the folder '%s': %s", data_dir,
				strerror(errno));
		return BM_CLUSTER_DAMAGED;
	}
	return empty == 1 ? inspect_temporary(data_dir, why)
			  : inspect_content(data_dir, major, why);
}

enum bm_cluster_found bm_cluster_inspect(
		const char *data_dir, unsigned major, struct bm_strbuf *why)
{
	struct bm_strbuf unread = BM_STRBUF_INIT;
	enum bm_cluster_found found = inspect(data_dir, major, why != NULL ? why : &unread);

	bm_strbuf_finish(&unread);
	return found;
}

/* Line 8 of postmaster.pid. */
bool bm_cluster_lets_in(const struct bm_cluster_paths *paths)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	char *path = bm_format("%s/postmaster.pid", paths->data_dir);
	bool known = bm_file_load(path, 4096, &text, NULL) == 0;
	const char *line = bm_strbuf_text(&text);

	for (int i = 1; i < 8 && line != NULL; i++) {
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	bool ready = known && line != NULL && strncmp(line, "ready", 5) == 0;
	bm_strbuf_finish(&text);
	free(path);
	return ready;
}
