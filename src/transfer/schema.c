/*
 * The schema, in one transaction on the destination:
 *
 *     pg_dump       everything but rows, of the very snapshot the rows come from
 *     pre-data      schemas, types, functions, tables: applied
 *     post-data     indexes, constraints, triggers: planned, written into the ledger
 *     chunks        planned, written into the ledger
 *
 * So either nothing of it is there, or all of it, and a later run needs no dump.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/postgres.h"
#include "transfer/entries.h"
#include "transfer/internal.h"
#include "transfer/tool.h"
#include "transfer/works.h"

#define SCRIPT_LIMIT ((size_t)512 << 20)

/* ---- the dump ---- */

static int dump(struct bm_transfer *t, const char *archive, struct bm_error *err)
{
	unsigned major = (unsigned)PQserverVersion(t->keeper) / 10000;
	char *program = bm_tool_find("pg_dump", major, err);
	char *snapshot = bm_format("--snapshot=%s", t->snapshot);
	char *file = bm_format("--file=%s", archive);
	const char *argv[] = {program, "--format=custom", "--compress=0", "--schema-only",
			"--no-password", "--no-subscriptions", "--exclude-schema=bucardo",
			"--exclude-schema=bucardo_machine", snapshot, file, "-d",
			t->source.conninfo, NULL};

	int rc = program != NULL ? bm_tool_run(argv, err) : -1;
	free(program);
	free(snapshot);
	free(file);
	return rc == 0 ? 0 : bm_error_wrap(err, "reading the source's schema");
}

/* One section of the archive as SQL, taken apart. */
static int read_section(struct bm_transfer *t, const char *archive, const char *section,
		struct bm_entries *out, struct bm_error *err)
{
	char *program = bm_tool_find("pg_restore", 0, err);
	char *path = bm_format("%s.%s", archive, section);
	char *option = bm_format("--section=%s", section);
	const char *argv[] = {program, option, "--no-tablespaces", "-f", path, archive,
			t->destination_is_superuser ? NULL : "--no-owner", NULL};
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

static int read_schema(struct bm_transfer *t, struct bm_entries *before,
		struct bm_entries *after, struct bm_error *err)
{
	const char *base = getenv("TMPDIR");
	char *folder = bm_format("%s/bucardo-machine-XXXXXX", base != NULL ? base : "/tmp");
	char *archive = NULL;
	int rc = -1;

	if (mkdtemp(folder) == NULL) {
		bm_error_set(err, BM_ERR_IO, "cannot make a folder '%s': %m", folder);
		free(folder);
		return -1;
	}
	archive = bm_format("%s/schema", folder);
	if (dump(t, archive, err) == 0 &&
			read_section(t, archive, "pre-data", before, err) == 0 &&
			read_section(t, archive, "post-data", after, err) == 0) {
		rc = 0;
	}
	bm_file_remove_tree(folder, NULL);
	free(archive);
	free(folder);
	return rc;
}

/* ---- roles the destination does not have ---- */

static const char **missing_roles(struct bm_transfer *t, struct bm_error *err)
{
	PGresult *used = bm_sql(t->keeper,
			"SELECT DISTINCT quote_ident(r.rolname), r.rolname FROM pg_shdepend s"
			" JOIN pg_roles r ON r.oid = s.refobjid"
			" WHERE s.refclassid = 'pg_authid'::regclass AND s.dbid IN (0,"
			" (SELECT oid FROM pg_database WHERE datname = current_database()))"
			" UNION SELECT quote_ident(rolname), rolname FROM pg_roles WHERE rolsuper",
			err);
	PGresult *there = used == NULL
			? NULL
			: bm_sql(t->control, "SELECT rolname FROM pg_roles", err);
	const char **missing = NULL;
	size_t count = 0;

	if (there != NULL) {
		missing = bm_alloc(((size_t)PQntuples(used) + 1) * sizeof(*missing));
		for (int i = 0; i < PQntuples(used); i++) {
			bool found = false;
			for (int j = 0; j < PQntuples(there) && !found; j++) {
				found = strcmp(PQgetvalue(used, i, 1),
							PQgetvalue(there, j, 0)) == 0;
			}
			if (!found) {
				missing[count++] = bm_strdup(PQgetvalue(used, i, 0));
			}
		}
	}
	PQclear(used);
	PQclear(there);
	return missing;
}

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Statements that cannot work there are taken out; the others stay in their order. */
static unsigned drop_statements(
		struct bm_transfer *t, struct bm_entry *entry, const char *const *missing)
{
	struct bm_strbuf kept = BM_STRBUF_INIT;
	const char *text = bm_strbuf_text(&entry->sql);
	unsigned dropped = 0;

	for (size_t at = 0; at < entry->sql.length;) {
		size_t end = bm_statement_end(text, entry->sql.length, at);
		bool sets_session = begins_with(text + at, "SET SESSION AUTHORIZATION") ||
				begins_with(text + at, "RESET SESSION AUTHORIZATION");
		if ((sets_session && !t->destination_is_superuser) ||
				bm_statement_needs_role(text + at, end - at, missing)) {
			dropped += !sets_session;
		} else {
			bm_strbuf_add(&kept, text + at, end - at);
		}
		at = end;
		while (at < entry->sql.length && text[at] == '\n') {
			bm_strbuf_putc(&kept, '\n');
			at++;
		}
	}
	bm_strbuf_finish(&entry->sql);
	entry->sql = kept;
	return dropped;
}

static int drop_missing_roles(struct bm_transfer *t, struct bm_entries *entries, bool tell,
		struct bm_error *err)
{
	const char **missing = missing_roles(t, err);
	struct bm_strbuf names = BM_STRBUF_INIT;
	unsigned dropped = 0;

	if (missing == NULL) {
		return -1;
	}
	for (size_t i = 0; i < entries->count; i++) {
		dropped += drop_statements(t, &entries->list[i], missing);
	}
	for (size_t i = 0; missing[i] != NULL; i++) {
		bm_strbuf_printf(&names, "%s%s", i > 0 ? ", " : "", missing[i]);
		free((char *)(uintptr_t)missing[i]);
	}
	if (dropped > 0 && tell) {
		bm_transfer_note(t,
				"%u owners and grants left out: the destination has no role %s; "
				"create it before cloning to keep them",
				dropped, bm_strbuf_text(&names));
	}
	bm_strbuf_finish(&names);
	free(missing);
	return 0;
}

/* ---- applying ---- */

/*
 * What a role without superuser rights, or another server, may refuse without the
 * rows being any less whole.
 */
static bool is_optional(const struct bm_entry *entry)
{
	static const char *const types[] = {"EXTENSION", "COMMENT", "ACL", "DEFAULT ACL",
			"SECURITY LABEL", "PROCEDURAL LANGUAGE", "FOREIGN DATA WRAPPER",
			"SERVER", "USER MAPPING", "CAST", "PUBLICATION", "PUBLICATION TABLE",
			"PUBLICATION TABLES IN SCHEMA", "EVENT TRIGGER"};

	for (size_t i = 0; i < BM_COUNT_OF(types); i++) {
		if (strcmp(entry->type, types[i]) == 0) {
			return true;
		}
	}
	return strcmp(entry->type, "SCHEMA") == 0 && strcmp(entry->name, "public") == 0;
}

static int savepoint_run(struct bm_transfer *t, const char *sql, struct bm_error *err)
{
	char *whole = bm_format("SAVEPOINT bm; %s; RELEASE SAVEPOINT bm", sql);
	int rc = bm_sql_do(t->control, whole, err);

	free(whole);
	if (rc != 0 && bm_sql_do(t->control, "ROLLBACK TO SAVEPOINT bm", NULL) != 0) {
		return -2; /* the session is gone */
	}
	return rc;
}

/* A run of optional entries: together if they work, else one by one. */
static int apply_optional(struct bm_transfer *t, const struct bm_entry *list, size_t count,
		struct bm_error *err)
{
	struct bm_strbuf all = BM_STRBUF_INIT;

	for (size_t i = 0; i < count; i++) {
		bm_strbuf_puts(&all, bm_strbuf_text(&list[i].sql));
	}
	int rc = savepoint_run(t, bm_strbuf_text(&all), err);
	bm_strbuf_finish(&all);
	for (size_t i = 0; i < count && rc == -1; i++) {
		struct bm_error why = BM_ERROR_INIT;
		int one = savepoint_run(t, bm_strbuf_text(&list[i].sql), &why);
		if (one == -1) {
			bm_transfer_note(t, "left out %s %s: %s", list[i].type, list[i].name,
					why.message);
		}
		rc = one == -2 ? -2 : -1;
	}
	return rc == -2 ? -1 : 0;
}

/* Required entries in one message; after a failure one by one, to name the culprit. */
static int apply_required(struct bm_transfer *t, const struct bm_entry *list, size_t count,
		struct bm_error *err)
{
	struct bm_strbuf all = BM_STRBUF_INIT;

	for (size_t i = 0; i < count; i++) {
		bm_strbuf_puts(&all, bm_strbuf_text(&list[i].sql));
	}
	int rc = savepoint_run(t, bm_strbuf_text(&all), err);
	bm_strbuf_finish(&all);
	for (size_t i = 0; i < count && rc == -1; i++) {
		if (bm_sql_do(t->control, bm_strbuf_text(&list[i].sql), err) != 0) {
			return bm_error_wrap(err, "making %s %s", list[i].type, list[i].name);
		}
		rc = i + 1 == count ? 0 : -1;
	}
	return rc == 0 ? 0 : -1;
}

/*
 * Comments last, so that they do not tear the rest into many small messages. The
 * entries themselves stay where they are owned; `out` borrows.
 */
static void comments_last(const struct bm_entries *entries, struct bm_entries *out)
{
	*out = (struct bm_entries){.list = bm_alloc((entries->count + 1) * sizeof(*out->list))};
	for (int comments = 0; comments <= 1; comments++) {
		for (size_t i = 0; i < entries->count; i++) {
			if ((strcmp(entries->list[i].type, "COMMENT") == 0) == comments) {
				out->list[out->count++] = entries->list[i];
			}
		}
	}
}

static int apply(struct bm_transfer *t, const struct bm_entries *entries, struct bm_error *err)
{
	struct bm_entries order;
	int rc = 0;

	comments_last(entries, &order);
	for (size_t i = 0; i < order.count && rc == 0;) {
		bool optional = is_optional(&order.list[i]);
		size_t end = i + 1;
		while (end < order.count && is_optional(&order.list[end]) == optional) {
			end++;
		}
		rc = optional ? apply_optional(t, order.list + i, end - i, err)
			      : apply_required(t, order.list + i, end - i, err);
		i = end;
	}
	free(order.list);
	return rc;
}

/* ---- all of it ---- */

static int plan(struct bm_transfer *t, const struct bm_entries *after, struct bm_error *err)
{
	if (bm_plan_chunks(t, err) != 0 || bm_plan_works(t, after, err) != 0 ||
			bm_plan_refresh(t, err) != 0) {
		return -1;
	}
	bm_plan_analyze(t);
	return 0;
}

static int write_schema(
		struct bm_transfer *t, const struct bm_entries *before, struct bm_error *err)
{
	if (bm_sql_do(t->control, "BEGIN", err) != 0 ||
			bm_ledger_create(t->control, t->source_id, err) != 0 ||
			apply(t, before, err) != 0 ||
			bm_ledger_plan(t->control, &t->ledger, err) != 0) {
		bm_sql_do(t->control, "ROLLBACK", NULL);
		return -1;
	}
	return bm_sql_do(t->control, "COMMIT", err);
}

int bm_transfer_schema(struct bm_transfer *t, struct bm_error *err)
{
	struct bm_entries before = {0};
	struct bm_entries after = {0};
	int rc = -1;

	t->progress.phase = "schema";
	if (bm_tables_read(t->keeper, &t->tables, err) != 0) {
		return -1;
	}
	if (t->ledger.schema_done) {
		return 0;
	}
	if (read_schema(t, &before, &after, err) == 0 &&
			drop_missing_roles(t, &before, true, err) == 0 &&
			drop_missing_roles(t, &after, false, err) == 0 &&
			plan(t, &after, err) == 0 && write_schema(t, &before, err) == 0) {
		t->ledger.schema_done = true;
		rc = 0;
	}
	bm_entries_finish(&before);
	bm_entries_finish(&after);
	return rc == 0 ? 0 : bm_error_wrap(err, "copying the schema");
}
