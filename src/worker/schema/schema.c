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

#include "bucardo_machine/table_filter.h"
#include "bucardo_machine/alloc.h"
#include "worker/schema/apply.h"
#include "worker/schema/dump.h"
#include "worker/schema/extensions.h"
#include "worker/schema/fence.h"
#include "worker/rows/waves.h"
#include "worker/transfer/internal.h"
#include "worker/schema/roles.h"
#include "worker/transfer/path.h"
#include "worker/transfer/post_data.h"

/* ---- which tables ---- */

/* The rows of bm_table_filter_sql, or NULL where nothing was selected. */
static int choose(struct bm_transfer *t, PGresult **rows, struct bm_error *err)
{
	if (t->filter[0] != '\0') {
		*rows = bm_sql_params(t->snapshot_session, bm_table_filter_sql, 1,
				(const char *const *)&t->filter, err);
		if (*rows == NULL) {
			return bm_error_wrap(err, "choosing the tables of the source");
		}
	}
	free(t->outside);
	t->outside = bm_table_filter_out(*rows);
	return bm_extensions_leave_out(t, err);
}

static void report_selection(struct bm_transfer *t, const PGresult *filter)
{
	struct bm_strbuf names = BM_STRBUF_INIT;
	unsigned out = 0;

	for (int row = 0; filter != NULL && row < PQntuples(filter); row++) {
		const char *name = PQgetvalue(filter, row, BM_TABLE_FILTER_NAME);
		out += bm_table_filter_row_is(filter, row, "out");
		if (bm_table_filter_row_is(filter, row, "follows")) {
			bm_strbuf_printf(&names, "%s%s", names.length > 0 ? ", " : "", name);
		} else if (bm_table_filter_row_is(filter, row, "unused")) {
			bm_transfer_note(t, "the pattern '%s' matches no table", name);
		}
	}
	if (out > 0) {
		bm_transfer_note(t, "%u relation%s not selected and stay%s behind%s%s", out,
				out == 1 ? " is" : "s are", out == 1 ? "s" : "",
				names.length > 0 ? ", and with them what depends on them: "
						 : "",
				bm_strbuf_text(&names));
	}
	bm_strbuf_finish(&names);
}

/* ---- all of it ---- */

static int plan(struct bm_transfer *t, const struct bm_entries *after, struct bm_error *err)
{
	if (bm_plan_chunks(t, err) != 0 || bm_plan_post_data(t, after, err) != 0 ||
			bm_plan_refresh(t, err) != 0) {
		return -1;
	}
	bm_plan_analyze(t);
	return bm_waves_plan(t, err);
}

static int write_schema(struct bm_transfer *t, const struct bm_entries *before,
		const struct bm_entries *owners, const struct bm_entries *after,
		struct bm_error *err)
{
	const struct bm_ledger_subject subject = {t->source_id, t->filter};

	if (bm_sql_do(t->control, "BEGIN", err) != 0 ||
			bm_ledger_create(t->control, &subject, err) != 0 ||
			bm_apply(t, before, owners, after, err) != 0 ||
			(t->options.fence && bm_fence_raise(t, err) != 0) ||
			bm_ledger_plan(t->control, &t->ledger, err) != 0) {
		bm_sql_do(t->control, "ROLLBACK", NULL);
		return -1;
	}
	return bm_sql_do(t->control, "COMMIT", err);
}

static int make_schema(struct bm_transfer *t, const PGresult *filter, struct bm_error *err)
{
	struct bm_entries before = {0};
	struct bm_entries after = {0};
	struct bm_entries owners = {0};
	struct bm_roles roles = {0};
	struct bm_extensions extensions = {0};
	int rc = -1;

	if (bm_dump_read(t, filter, &before, &after, err) == 0 &&
			bm_extensions_apply(t, &before, &extensions, err) == 0 &&
			bm_path_flag(t, &before, &after, err) == 0 &&
			bm_roles_read(t, &roles, err) == 0) {
		bm_roles_apply(t, &roles, &before, &owners, true);
		bm_roles_apply(t, &roles, &after, NULL, false);
		rc = plan(t, &after, err);
	}
	if (rc == 0) {
		rc = write_schema(t, &before, &owners, &after, err);
		t->ledger.schema_done = rc == 0;
	}
	if (rc == 0) {
		rc = bm_extensions_report(t, &extensions, err);
		bm_path_report(t);
	}
	bm_extensions_finish(&extensions);
	bm_roles_finish(&roles);
	bm_entries_finish(&owners);
	bm_entries_finish(&before);
	bm_entries_finish(&after);
	return rc;
}

int bm_transfer_schema(struct bm_transfer *t, struct bm_error *err)
{
	PGresult *filter = NULL;
	int rc = choose(t, &filter, err);

	t->progress.phase = "schema";
	if (rc == 0) {
		rc = bm_tables_read(t->snapshot_session, t->outside, &t->tables, err);
	}
	rc = rc == 0 ? bm_tables_flag_late(t->snapshot_session, &t->tables, err) : -1;
	t->is_resumed = t->ledger.schema_done;
	if (rc == 0 && !t->ledger.schema_done) {
		report_selection(t, filter);
		rc = make_schema(t, filter, err);
	} else if (rc == 0 && t->options.fence) {
		rc = bm_fence_raise(t, err);
	}
	PQclear(filter);
	return rc == 0 ? 0 : bm_error_wrap(err, "copying the schema");
}
