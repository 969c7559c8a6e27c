/* The extensions of the source, as entries of its dump. */
#include "worker/schema/extensions.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/extensions.h"

enum { NAME, VERSION, SKIPPED, WANTED }; /* the columns */

/* clang-format off */
static const char source_sql[] =
#include "worker/schema/sql/source_extensions.sql.inc"
;

static const char outside_sql[] =
#include "worker/schema/sql/outside_relations.sql.inc"
;
/* clang-format on */

char *bm_extensions_skipped(const struct bm_extension_rules *rules)
{
	struct bm_strbuf list = BM_STRBUF_INIT;

	for (const char *const *name = rules->skip; name != NULL && *name != NULL; name++) {
		bm_quote_array_add(&list, *name);
	}
	return bm_quote_array_end(&list);
}

char *bm_extensions_versions(const struct bm_extension_rules *rules)
{
	json_t *list = json_array();

	for (const char *const *pair = rules->versions; pair != NULL && *pair != NULL; pair++) {
		int length = (int)strcspn(*pair, "=");
		json_array_append_new(list,
				json_pack("{s:s#, s:s}", "name", *pair, length, "version",
						*pair + length + 1));
	}
	char *text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return text;
}

/* ---- before ---- */

static int find(const PGresult *rows, const char *name)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		if (strcmp(PQgetvalue(rows, row, NAME), name) == 0) {
			return row;
		}
	}
	return -1;
}

/* The extension that an entry is, or is a comment on; -1: none. */
static int extension_of(const PGresult *source, const struct bm_entry *entry)
{
	static const char about[] = "EXTENSION ";
	char *name = bm_strdup(entry->name);
	int row = -1;

	if (strcmp(entry->type, "EXTENSION") == 0) {
		row = find(source, name);
	} else if (strcmp(entry->type, "COMMENT") == 0 &&
			strncmp(name, about, sizeof(about) - 1) == 0) {
		char *bare = name + sizeof(about) - 1;
		size_t length = strlen(bare);
		if (bare[0] == '"' && length > 1) {
			bare[length - 1] = '\0';
			bare++;
		}
		row = find(source, bare);
	}
	free(name);
	return row;
}

static void ask_for_version(struct bm_entry *entry, const char *version)
{
	const char *text = bm_strbuf_text(&entry->sql);
	size_t end = bm_statement_end(text, entry->sql.length, 0);
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_strbuf_add(&sql, text, end > 0 ? end - 1 : 0);
	bm_strbuf_puts(&sql, " VERSION ");
	bm_quote_literal(&sql, version);
	bm_strbuf_puts(&sql, ";\n");
	bm_strbuf_finish(&entry->sql);
	entry->sql = sql;
}

int bm_extensions_apply(struct bm_transfer *t, struct bm_entries *entries,
		struct bm_extensions *out, struct bm_error *err)
{
	char *skipped = bm_extensions_skipped(&t->options.extensions);
	char *versions = bm_extensions_versions(&t->options.extensions);
	const char *const params[] = {skipped, versions};

	*out = (struct bm_extensions){0};
	out->source = bm_sql_params(t->snapshot_session, source_sql, 2, params, err);
	free(skipped);
	free(versions);
	out->before = out->source == NULL
			? NULL
			: bm_sql(t->control, "SELECT extname, extversion FROM pg_extension",
					  err);
	for (size_t i = 0; out->before != NULL && i < entries->count;) {
		struct bm_entry *entry = &entries->list[i];
		int row = extension_of(out->source, entry);
		if (row >= 0 && PQgetvalue(out->source, row, SKIPPED)[0] == 't') {
			bm_entries_remove(entries, i);
			continue;
		}
		if (row >= 0 && strcmp(entry->type, "EXTENSION") == 0 &&
				!PQgetisnull(out->source, row, WANTED)) {
			ask_for_version(entry, PQgetvalue(out->source, row, WANTED));
		}
		i++;
	}
	return out->before != NULL ? 0 : bm_error_wrap(err, "looking at the extensions");
}

void bm_extensions_finish(struct bm_extensions *extensions)
{
	PQclear(extensions->source);
	PQclear(extensions->before);
	*extensions = (struct bm_extensions){0};
}

int bm_extensions_leave_out(struct bm_transfer *t, struct bm_error *err)
{
	char *skipped = bm_extensions_skipped(&t->options.extensions);
	const char *const params[] = {t->outside, skipped};
	PGresult *rows = bm_sql_params(t->snapshot_session, outside_sql, 2, params, err);

	if (rows != NULL) {
		free(t->outside);
		t->outside = bm_strdup(PQgetvalue(rows, 0, 0));
	}
	PQclear(rows);
	free(skipped);
	return rows != NULL ? 0 : bm_error_wrap(err, "looking at the extensions");
}

/* ---- afterwards ---- */

enum fate { MADE, THERE, SKIPS, MISSING, FATE_COUNT };

static void add(struct bm_strbuf *list, const PGresult *source, int row, const char *version)
{
	const char *theirs = PQgetvalue(source, row, VERSION);

	bm_strbuf_printf(list, "%s%s", list->length > 0 ? ", " : "",
			PQgetvalue(source, row, NAME));
	if (version != NULL) {
		bm_strbuf_printf(list, " %s", version);
	}
	if (version != NULL && strcmp(version, theirs) != 0) {
		bm_strbuf_printf(list, " (%s on the source)", theirs);
	}
}

int bm_extensions_report(struct bm_transfer *t, const struct bm_extensions *extensions,
		struct bm_error *err)
{
	static const char *const titles[FATE_COUNT] = {
			[MADE] = "made",
			[THERE] = "there before",
			[SKIPS] = "skipped",
			[MISSING] = "not made",
	};
	struct bm_strbuf lists[FATE_COUNT] = {0}, text = BM_STRBUF_INIT;
	const PGresult *source = extensions->source;
	PGresult *after = bm_sql(
			t->control, "SELECT extname, extversion FROM pg_extension", err);

	for (int row = 0; after != NULL && row < PQntuples(source); row++) {
		const char *name = PQgetvalue(source, row, NAME);
		int now = find(after, name);
		enum fate fate = PQgetvalue(source, row, SKIPPED)[0] == 't' ? SKIPS
				: now < 0				    ? MISSING
				: find(extensions->before, name) >= 0	    ? THERE
									    : MADE;
		if (strcmp(name, "plpgsql") != 0) {
			add(&lists[fate], source, row,
					fate == SKIPS || now < 0
							? NULL
							: PQgetvalue(after, now, VERSION));
		}
	}
	for (int fate = 0; fate < FATE_COUNT; fate++) {
		if (lists[fate].length > 0) {
			bm_strbuf_printf(&text, "%s %s: %s", text.length > 0 ? ";" : "",
					titles[fate], bm_strbuf_text(&lists[fate]));
		}
		bm_strbuf_finish(&lists[fate]);
	}
	if (text.length > 0) {
		bm_transfer_note(t, "extensions%s", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
	PQclear(after);
	return after != NULL ? 0 : -1;
}
