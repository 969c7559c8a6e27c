/* The plan of the copy stands in the ledger on the destination. */
#include "worker/capture/capture_between.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "base/protocol/report.h"
#include "worker/tables/resend.h"

/* clang-format off */
static const char owe_sql[] =
#include "worker/capture/sql/between_request.sql.inc"
;

static const char absent_sql[] =
#include "worker/capture/sql/between_absent.sql.inc"
;
/* clang-format on */

/* ---- what the destination lacks ---- */

static char *encode(const struct bm_capture *capture)
{
	json_t *list = json_array();

	for (size_t i = 0; i < capture->tables.count; i++) {
		const struct bm_selected_table *table = &capture->tables.tables[i];
		json_array_append_new(list,
				json_pack("{s:o, s:o}", "quoted", bm_json_text(table->quoted),
						"key", bm_json_text(table->key)));
	}
	char *text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return text;
}

static void leave_out(struct bm_selected_table *table, const char *column)
{
	free(table->left_out);
	free(table->hint);
	table->left_out = column == NULL
			? bm_strdup("it is not on the destination: it came, or went there, after "
				    "phase schema")
			: bm_format("the destination lacks column %s of its key", column);
	table->hint = bm_format("make it on the destination as it is on the source (pg_dump "
				"--schema-only --table='%s'); it is taken in by itself then",
			table->quoted);
}

static void shrink(struct bm_capture *capture, struct bm_capture_group *group)
{
	size_t kept = 0;

	for (size_t i = 0; i < group->count; i++) {
		if (group->tables[i]->left_out[0] == '\0') {
			group->tables[kept++] = group->tables[i];
		}
	}
	capture->total -= group->count - kept;
	group->count = kept;
}

int bm_between_ignore(struct bm_capture *capture, struct bm_error *err)
{
	char *list = encode(capture);
	PGresult *rows = bm_phase_ask(capture->phase, BM_SIDE_DESTINATION, absent_sql, 1,
			(const char *const *)&list, err);

	free(list);
	if (rows == NULL) {
		return bm_error_wrap(err, "looking for the tables on the destination");
	}
	for (int i = 0; i < PQntuples(rows); i++) {
		size_t place = strtoul(PQgetvalue(rows, i, 0), NULL, 10);
		struct bm_selected_table *table = &capture->tables.tables[place];
		if (table->left_out[0] == '\0') {
			leave_out(table,
					PQgetisnull(rows, i, 1) ? NULL
								: PQgetvalue(rows, i, 1));
		}
	}
	PQclear(rows);
	for (size_t i = 0; i < capture->group_count; i++) {
		shrink(capture, &capture->groups[i]);
	}
	return 0;
}

/* ---- what the copy does not know ---- */

/* The names as a JSON list; NULL with `err`, or without when nothing was planned. */
static char *read_plan(struct bm_phase *phase, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(phase, BM_SIDE_DESTINATION,
			"SELECT to_regclass('bucardo_machine.chunk') IS NOT NULL", 0, NULL,
			err);
	char *plan = NULL;

	if (rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't') {
		PQclear(rows);
		rows = bm_phase_ask(phase, BM_SIDE_DESTINATION,
				"SELECT json_agg(DISTINCT table_name) FROM bucardo_machine.chunk",
				0, NULL, err);
		plan = rows != NULL && !PQgetisnull(rows, 0, 0)
				? bm_strdup(PQgetvalue(rows, 0, 0))
				: NULL;
	}
	PQclear(rows);
	return plan;
}

static char *name_syncs(const struct bm_phase *phase)
{
	json_t *list = json_array();

	for (unsigned number = 0; number < BM_SYNCS_LIMIT; number++) {
		char *name = bm_sync_name(phase->request.name, number);
		json_array_append_new(list, json_string(name));
		free(name);
	}
	char *text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return text;
}

int bm_between_request(struct bm_phase *phase, struct bm_error *err)
{
	char *plan = read_plan(phase, err);

	if (plan == NULL) {
		return err->code == BM_ERR_NONE ? 0
						: bm_error_wrap(err, "reading what is copied");
	}
	char *syncs = name_syncs(phase);
	const char *const params[] = {syncs, plan};
	PGresult *rows = bm_resend_make_table(phase, BM_SIDE_SOURCE, err) == 0
			? bm_phase_ask(phase, BM_SIDE_SOURCE, owe_sql, 2, params, err)
			: NULL;
	for (int i = 0; rows != NULL && i < PQntuples(rows); i++) {
		bm_report_note("%s came after phase schema: its rows are not copied, but sent as "
			       "if they had just changed",
				PQgetvalue(rows, i, 0));
	}
	int rc = rows != NULL ? 0 : bm_error_wrap(err, "noting rows that are not copied");
	PQclear(rows);
	free(syncs);
	free(plan);
	return rc;
}

int bm_between_is_planned(struct bm_phase *phase, const char *quoted, struct bm_error *err)
{
	static const char sql[] =
			"SELECT 1 FROM bucardo_machine.chunk WHERE table_name = (SELECT"
			" format('\"%s\".\"%s\"', replace(n.nspname, '\"', '\"\"'),"
			"  replace(c.relname, '\"', '\"\"')) FROM pg_class c JOIN pg_namespace n"
			" ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)) LIMIT 1";
	char *plan = read_plan(phase, err);
	int rc = plan != NULL ? 1 : err->code == BM_ERR_NONE ? 0 : -1;

	free(plan);
	if (rc == 1) {
		PGresult *rows = bm_phase_ask(phase, BM_SIDE_DESTINATION, sql, 1, &quoted, err);
		rc = rows != NULL ? PQntuples(rows) : -1;
		PQclear(rows);
	}
	return rc;
}
