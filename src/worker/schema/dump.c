/* pg_dump into an archive, pg_restore into scripts, the scripts into entries. */
#include "worker/schema/dump.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/table_filter.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/macros.h"
#include "worker/dump/tool.h"

#define SCRIPT_LIMIT ((size_t)512 << 20)

static int run_dump(struct bm_transfer *t, const PGresult *filter, const char *archive,
		struct bm_error *err)
{
	unsigned major = (unsigned)PQserverVersion(t->snapshot_session) / 10000;
	char *program = bm_tool_find("pg_dump", major, err);
	char *snapshot = bm_format("--snapshot=%s", t->snapshot);
	char *file = bm_format("--file=%s", archive);
	char *source = bm_endpoint_text(&t->source);
	const char *fixed[] = {program, "--format=custom", "--compress=0", "--schema-only",
			"--no-password", "--no-subscriptions", "--exclude-schema=bucardo",
			"--exclude-schema=bucardo_machine", snapshot, file, "-d", source};
	size_t rows = filter != NULL ? (size_t)PQntuples(filter) : 0;
	const char **argv = bm_alloc((BM_COUNT_OF(fixed) + 2 * rows + 1) * sizeof(*argv));
	size_t count = BM_COUNT_OF(fixed);

	memcpy(argv, fixed, sizeof(fixed));
	for (size_t row = 0; row < rows; row++) {
		if (bm_table_filter_row_is(filter, (int)row, "dump")) {
			argv[count++] = "--exclude-table";
			argv[count++] = PQgetvalue(filter, (int)row, BM_TABLE_FILTER_NAME);
		}
	}
	int rc = program != NULL ? bm_tool_run(argv, err) : -1;
	free(argv);
	free(program);
	free(snapshot);
	free(file);
	free(source);
	return rc == 0 ? 0 : bm_error_wrap(err, "reading the source's schema");
}

/* One section of the archive as SQL, taken apart. */
static int read_section(const char *archive, const char *section, struct bm_entries *out,
		struct bm_error *err)
{
	char *program = bm_tool_find("pg_restore", 0, err);
	char *path = bm_format("%s.%s", archive, section);
	char *option = bm_format("--section=%s", section);
	const char *argv[] = {program, option, "--verbose", "--no-tablespaces", "-f", path,
			archive, NULL};
	struct bm_strbuf script = BM_STRBUF_INIT;
	int rc = program != NULL ? bm_tool_run(argv, err) : -1;

	if (rc == 0) {
		rc = bm_file_load(path, SCRIPT_LIMIT, &script, err);
	}
	if (rc == 0) {
		bm_entries_parse(bm_strbuf_text(&script), script.length, out);
	}
	bm_strbuf_finish(&script);
	free(program);
	free(path);
	free(option);
	return rc;
}

/* ---- what goes with a table that was not selected ---- */

static bool is_row(const struct bm_entry *entry, const PGresult *filter, int row)
{
	if (bm_table_filter_row_is(filter, row, "follows")) {
		return entry->oid != 0 &&
				entry->oid ==
				strtoul(PQgetvalue(filter, row, BM_TABLE_FILTER_OBJECT), NULL,
						10) &&
				entry->class_oid ==
				strtoul(PQgetvalue(filter, row, BM_TABLE_FILTER_CLASS), NULL,
						10);
	}
	bool detaches = bm_table_filter_row_is(filter, row, "attach") ||
			bm_table_filter_row_is(filter, row, "detach");
	return detaches && strstr(entry->type, " ATTACH") != NULL &&
			bm_entry_is_named(entry, PQgetvalue(filter, row, BM_TABLE_FILTER_NAME));
}

static bool is_left_out(const struct bm_entry *entry, const PGresult *filter)
{
	for (int row = 0; row < PQntuples(filter); row++) {
		if (is_row(entry, filter, row)) {
			return true;
		}
	}
	return false;
}

/* A comment on, or a grant of, something that goes. */
static bool is_about(const struct bm_entry *entry, const struct bm_strbuf *gone)
{
	bool says = strcmp(entry->type, "COMMENT") == 0 || strcmp(entry->type, "ACL") == 0 ||
			strcmp(entry->type, "SECURITY LABEL") == 0;

	for (const char *at = entry->needs; says && *at != '\0';) {
		size_t skip = strspn(at, " ");
		size_t digits = strcspn(at + skip, " ");
		char *number = bm_format(" %.*s ", (int)digits, at + skip);
		bool found = digits > 0 && strstr(bm_strbuf_text(gone), number) != NULL;
		free(number);
		if (found) {
			return true;
		}
		at += skip + digits;
	}
	return false;
}

static void drop_left_out(
		struct bm_entries *entries, const PGresult *filter, struct bm_strbuf *gone)
{
	for (size_t i = 0; i < entries->count;) {
		if (is_left_out(&entries->list[i], filter)) {
			bm_strbuf_printf(gone, " %u ", entries->list[i].number);
			bm_entries_remove(entries, i);
		} else {
			i++;
		}
	}
	for (size_t i = 0; i < entries->count;) {
		if (is_about(&entries->list[i], gone)) {
			bm_entries_remove(entries, i);
		} else {
			i++;
		}
	}
}

/* ---- all of it ---- */

static int read_archive(struct bm_transfer *t, const PGresult *filter, const char *archive,
		struct bm_entries *before, struct bm_entries *after, struct bm_error *err)
{
	struct bm_strbuf gone = BM_STRBUF_INIT;

	if (run_dump(t, filter, archive, err) != 0 ||
			read_section(archive, "pre-data", before, err) != 0 ||
			read_section(archive, "post-data", after, err) != 0) {
		return -1;
	}
	if (filter != NULL) {
		drop_left_out(before, filter, &gone);
		drop_left_out(after, filter, &gone);
	}
	bm_strbuf_finish(&gone);
	return 0;
}

int bm_dump_read(struct bm_transfer *t, const PGresult *filter, struct bm_entries *before,
		struct bm_entries *after, struct bm_error *err)
{
	const char *base = getenv("TMPDIR");
	char *folder = bm_format("%s/bucardo-machine-XXXXXX", base != NULL ? base : "/tmp");
	char *archive = NULL;
	int rc;

	if (mkdtemp(folder) == NULL) {
		bm_error_set(err, BM_ERR_IO, "cannot make a folder '%s': %m", folder);
		free(folder);
		return -1;
	}
	archive = bm_format("%s/schema", folder);
	rc = read_archive(t, filter, archive, before, after, err);
	bm_file_remove_tree(folder, NULL);
	free(archive);
	free(folder);
	return rc;
}
