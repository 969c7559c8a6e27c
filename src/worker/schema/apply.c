/* What comes before the rows: many statements in a message, and the few that fail one by one.
 */
#include "worker/schema/apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "worker/transfer/outlook.h"
#include "worker/transfer/path.h"
#include "worker/schema/roles.h"
#include "worker/transfer/post_data.h"

/* ---- what may be missing ---- */

static bool is_one_of(const struct bm_entry *entry, const char *const *types, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(entry->type, types[i]) == 0) {
			return true;
		}
	}
	return false;
}

/*
 * What a role without superuser rights, or another server, may refuse without the
 * rows being any less whole.
 */
static bool is_optional(const struct bm_entry *entry)
{
	static const char *const types[] = {"EXTENSION", "COMMENT", "ACL", "DEFAULT ACL",
			"SECURITY LABEL", "PROCEDURAL LANGUAGE", "FOREIGN DATA WRAPPER",
			"SERVER", "USER MAPPING", "CAST", "PUBLICATION", "PUBLICATION TABLE",
			"PUBLICATION TABLES IN SCHEMA", "EVENT TRIGGER", "OWNER"};

	return is_one_of(entry, types, BM_COUNT_OF(types)) ||
			(strcmp(entry->type, "SCHEMA") == 0 &&
					strcmp(entry->name, "public") == 0);
}

static bool is_view(const struct bm_entry *entry)
{
	static const char *const types[] = {"VIEW", "MATERIALIZED VIEW"};

	return is_one_of(entry, types, BM_COUNT_OF(types));
}

/* Of what comes after the rows: something that stands before them as a rule. */
static bool has_definitions(const struct bm_entries *after)
{
	static const char *const types[] = {"FUNCTION", "PROCEDURE", "AGGREGATE", "VIEW",
			"MATERIALIZED VIEW", "OPERATOR", "CAST"};

	for (size_t i = 0; i < after->count; i++) {
		if (is_one_of(&after->list[i], types, BM_COUNT_OF(types))) {
			return true;
		}
	}
	return false;
}

/* No table refers to these: they may be made when there are rows already. */
static bool may_wait(const struct bm_transfer *t, const struct bm_entry *entry,
		const struct bm_error *why)
{
	static const char *const types[] = {"FUNCTION", "PROCEDURE", "AGGREGATE", "OPERATOR",
			"OPERATOR CLASS", "OPERATOR FAMILY", "DEFAULT"};

	return is_view(entry) ||
			(bm_path_may_help(why) &&
					(is_optional(entry) ||
							(t->has_later &&
									is_one_of(entry, types,
											BM_COUNT_OF(types)))));
}

/* ---- one entry ---- */

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

static char *name_of(const struct bm_entry *entry)
{
	return strcmp(entry->schema, "-") == 0 || strcmp(entry->type, "OWNER") == 0
			? bm_format("%s %s", entry->type, entry->name)
			: bm_format("%s %s.%s", entry->type, entry->schema, entry->name);
}

/* With the path that its owner has on the source; the failure without it stays in `err`. */
static int run_with_path(
		struct bm_transfer *t, const struct bm_entry *entry, struct bm_error *err)
{
	struct bm_strbuf relation = BM_STRBUF_INIT;
	struct bm_error why = BM_ERROR_INIT;
	int rc = -1;

	bm_quote_ident(&relation, entry->schema);
	bm_strbuf_putc(&relation, '.');
	bm_quote_ident(&relation, entry->name);
	char *path = bm_path_find(t, t->control, bm_strbuf_text(&relation), &why);
	if (path != NULL) {
		char *sql = bm_path_wrap(path, bm_strbuf_text(&entry->sql));
		char *name = name_of(entry);
		rc = savepoint_run(t, sql, &why);
		if (rc == 0) {
			bm_path_record(t, path, name);
		}
		free(name);
		free(sql);
	} else {
		bm_path_refused(err, &why);
	}
	free(path);
	bm_strbuf_finish(&relation);
	return rc;
}

/* 0, -1 (`err`), or -2: the session is gone. */
static int run_one(struct bm_transfer *t, const struct bm_entry *entry, struct bm_error *err)
{
	int rc = entry->with_path ? run_with_path(t, entry, err) : -1;

	if (rc == -1 && entry->with_path && err->code == BM_ERR_PRECONDITION) {
		bm_path_other(t, entry->type, entry->name, err);
	}
	if (rc == -1) {
		*err = (struct bm_error)BM_ERROR_INIT;
		rc = savepoint_run(t, bm_strbuf_text(&entry->sql), err);
	}
	if (rc == -1 && !entry->with_path && bm_path_may_help(err)) {
		rc = run_with_path(t, entry, err);
	}
	return rc;
}

static void put_off(struct bm_transfer *t, const struct bm_entry *entry)
{
	struct bm_entries *late = &t->put_off;

	late->list = bm_realloc(late->list, late->count + 1, sizeof(*late->list));
	late->list[late->count++] = *entry;
}

/* ---- many ---- */

static int run_together(struct bm_transfer *t, const struct bm_entry *list, size_t count,
		struct bm_error *err)
{
	struct bm_strbuf all = BM_STRBUF_INIT;

	for (size_t i = 0; i < count; i++) {
		bm_strbuf_puts(&all, bm_strbuf_text(&list[i].sql));
	}
	int rc = savepoint_run(t, bm_strbuf_text(&all), err);
	bm_strbuf_finish(&all);
	return rc;
}

/* One that failed: put off, left out, or the end. */
static int take_failure(struct bm_transfer *t, const struct bm_entry *entry,
		const struct bm_error *why, struct bm_error *err)
{
	if (may_wait(t, entry, why)) {
		put_off(t, entry);
	} else if (is_optional(entry)) {
		bm_transfer_note(t, "left out %s %s: %s", entry->type, entry->name,
				why->message);
	} else {
		*err = *why;
		bm_outlook_blame_entry(t, entry->type, entry->schema, entry->name);
		return bm_error_wrap(err, "making %s %s", entry->type, entry->name);
	}
	return 0;
}

/* Together if they work, else one by one. */
static int apply_list(struct bm_transfer *t, const struct bm_entry *list, size_t count,
		struct bm_error *err)
{
	int rc = count == 1 && list[0].with_path ? -1 : run_together(t, list, count, err);

	if (rc != -1) {
		return rc == 0 ? 0 : -1;
	}
	for (size_t i = 0; i < count; i++) {
		struct bm_error why = BM_ERROR_INIT;
		rc = run_one(t, &list[i], &why);
		if (rc == -2) {
			*err = why;
			return -1;
		}
		if (rc == -1 && take_failure(t, &list[i], &why, err) != 0) {
			return -1;
		}
	}
	return 0;
}

/* ---- in order ---- */

/*
 * Grants come when owners are set, and comments last, so that they do not tear the rest
 * into many small messages.
 */
static int turn_of(const struct bm_entry *entry)
{
	bool grants = strcmp(entry->type, "ACL") == 0 ||
			strcmp(entry->type, "DEFAULT ACL") == 0;

	return grants ? 1 : strcmp(entry->type, "COMMENT") == 0 ? 2 : 0;
}

static int apply_turn(struct bm_transfer *t, const struct bm_entries *entries, int turn,
		struct bm_error *err)
{
	struct bm_entry *list = bm_alloc((entries->count + 1) * sizeof(*list)); /* borrowed */
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; i < entries->count; i++) {
		if (turn_of(&entries->list[i]) == turn && entries->list[i].sql.length > 0) {
			list[count++] = entries->list[i];
		}
	}
	for (size_t i = 0; i < count && rc == 0;) {
		bool optional = is_optional(&list[i]);
		size_t end = i + 1;
		while (end < count && is_optional(&list[end]) == optional &&
				!list[i].with_path && !list[end].with_path) {
			end++;
		}
		rc = apply_list(t, list + i, end - i, err);
		i = end;
	}
	free(list);
	return rc;
}

/* ---- the second attempt, and the objects that are left for the third ---- */

static void leave_for_the_end(struct bm_transfer *t, const struct bm_entry *entry)
{
	struct bm_post_object *object = bm_ledger_add_object(&t->ledger);

	object->stage = BM_STAGE_REST;
	object->name = name_of(entry);
	object->sql = bm_strdup(bm_strbuf_text(&entry->sql));
	object->tables[0] = bm_strdup("");
	object->tables[1] = bm_strdup("");
	object->with_path = entry->with_path;
}

static int try_again(struct bm_transfer *t, struct bm_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < t->put_off.count && rc != -2; i++) {
		rc = run_one(t, &t->put_off.list[i], err);
		if (rc == -1) {
			leave_for_the_end(t, &t->put_off.list[i]);
		}
	}
	free(t->put_off.list);
	t->put_off = (struct bm_entries){0};
	return rc == -2 ? -1 : 0;
}

int bm_apply(struct bm_transfer *t, const struct bm_entries *entries,
		const struct bm_entries *owners, const struct bm_entries *after,
		struct bm_error *err)
{
	t->has_later = has_definitions(after);
	if (apply_turn(t, entries, 0, err) != 0 ||
			bm_roles_set_owners(t, owners, apply_list, err) != 0 ||
			apply_turn(t, entries, 1, err) != 0 ||
			apply_turn(t, entries, 2, err) != 0) {
		return -1;
	}
	return try_again(t, err);
}
