/* Is the source's schema still what the first run made of it? */
#include <string.h>

#include "worker/transfer/large_objects.h"
#include "worker/transfer/moments.h"
#include "worker/transfer/outlook.h"

static const char definitions_sql[] =
		"SELECT '\"' || replace(n.nspname, '\"', '\"\"') || '\".\"'"
		" || replace(c.relname, '\"', '\"\"') || '\"',"
		" (SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)),"
		"   ', ' ORDER BY a.attnum) FROM pg_attribute a"
		"  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)"
		" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
		" WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' ORDER BY 1";

static const char *definition_in(const PGresult *rows, const char *name)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		if (strcmp(PQgetvalue(rows, row, 0), name) == 0) {
			return PQgetvalue(rows, row, 1);
		}
	}
	return NULL;
}

static int refuse_changed(struct bm_transfer *t, const PGresult *here, const PGresult *there,
		const struct bm_tables *now, struct bm_error *err)
{
	struct bm_strbuf changed = BM_STRBUF_INIT, made = BM_STRBUF_INIT;
	unsigned changed_count = 0, made_count = 0;
	int rc = 0;

	for (size_t i = 0; i < t->ledger.chunk_count; i++) {
		const char *name = t->ledger.chunks[i].table;
		const char *old = definition_in(there, name);
		const char *new = definition_in(here, name);
		bool is_first = i == 0 || strcmp(name, t->ledger.chunks[i - 1].table) != 0;
		if (is_first && strcmp(name, BM_LARGE_OBJECTS) != 0 &&
				(old == NULL || new == NULL || strcmp(old, new) != 0)) {
			bm_moments_name(&changed, &changed_count, name);
		}
	}
	for (size_t i = 0; i < now->count; i++) {
		if (!bm_moments_is_planned(&t->ledger, now->list[i].name)) {
			bm_moments_name(&made, &made_count, now->list[i].name);
		}
	}
	if (changed_count > 0) {
		bm_outlook_close(t);
		rc = bm_error_set(err, BM_ERR_MOMENTS,
				"the source's schema changed since the copy began, and with it %s: "
				"begin again with an empty database",
				bm_strbuf_text(&changed));
	} else if (made_count > 0 && !t->options.accept_moments) {
		bm_outlook_close(t);
		rc = bm_error_set(err, BM_ERR_MOMENTS,
				"made on the source since the copy began, and so not copied: %s; "
				"begin again with an empty database, or leave them out with "
				"--accept-moments",
				bm_strbuf_text(&made));
	} else if (made_count > 0) {
		bm_transfer_note(t,
				"made on the source since the copy began, and not copied: %s",
				bm_strbuf_text(&made));
	}
	bm_strbuf_finish(&changed);
	bm_strbuf_finish(&made);
	return rc;
}

int bm_moments_definitions(struct bm_transfer *t, struct bm_error *err)
{
	struct bm_tables now = {0};
	int rc = bm_snapshot_hold(t, err) == 0 && bm_control_hold(t, err) == 0 &&
					bm_tables_read(t->snapshot_session, t->outside, &now,
							err) == 0
			? 0
			: -1;
	PGresult *here = rc == 0 ? bm_sql(t->snapshot_session, definitions_sql, err) : NULL;
	PGresult *there = here != NULL ? bm_sql(t->control, definitions_sql, err) : NULL;

	rc = there != NULL ? refuse_changed(t, here, there, &now, err) : -1;
	PQclear(here);
	PQclear(there);
	bm_tables_finish(&now);
	return rc;
}
