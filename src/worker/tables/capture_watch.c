/* One statement for each captured side, and what follows from its rows. */
#include "worker/tables/capture_watch.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/sessions.h"
#include "worker/capture/capture.h"
#include "worker/deltas/capture_triggers.h"
#include "worker/tables/emptied.h"
#include "worker/tables/resend.h"
#include "worker/tables/table_pause.h"

enum column { SYNC, TABLE, SCHEMA, NAME, GAP };

/* A finding of the evidence; `unseen`: the migration is not healthy until it is gone. */
static void add_finding(
		struct bm_table_check *check, const char *table, char *difference, char *hint)
{
	json_t *drift = json_pack("[{s:s, s:o, s:o, s:b, s:b}]", "table", table, "difference",
			bm_json_text(difference), "hint", bm_json_text(hint), "breaks", 0,
			"unseen", 1);

	bm_table_check_report_drift(check, drift);
	json_decref(drift);
	free(difference);
	free(hint);
}

/* It stays as it is until the next check. */
static void report_uncaptured(struct bm_table_check *check, enum bm_side side,
		const char *table, const char *gap, const struct bm_error *err)
{
	bool is_locked = strcmp(err->sqlstate, "55P03") == 0;

	json_object_set_new(check->uncaptured, table, json_true());
	add_finding(check, table,
			bm_format("its changes are not captured on the %s: %s%s%s",
					bm_side_name(side), gap, gap[0] != '\0' ? "; " : "",
					is_locked ? "a lock on it was not to be had"
						  : err->message),
			bm_strdup(is_locked ? "end the transaction that has written to it"
					    : "see the error; it is tried again by itself"));
}

/* A resend is requested on the live side, before the other side forgets why. */
static int owe_for(struct bm_pass *pass, enum bm_side side, const char *table, const char *gap,
		struct bm_error *err)
{
	char *why = bm_format("on the %s %s", bm_side_name(side), gap);
	int rc = bm_resend_request(pass, table, why, err);

	free(why);
	return rc;
}

/* -1 with `err`: of no use to go on. */
static int capture_again(struct bm_table_check *check, enum bm_side side, const PGresult *rows,
		int row, struct bm_error *err)
{
	struct bm_pass *pass = check->pass;
	const char *sync = PQgetvalue(rows, row, SYNC), *table = PQgetvalue(rows, row, TABLE);
	const char *gap = PQgetvalue(rows, row, GAP);
	json_t *list = json_pack("[{s:s, s:s}]", "schema", PQgetvalue(rows, row, SCHEMA),
			"name", PQgetvalue(rows, row, NAME));
	char *text = json_dumps(list, JSON_COMPACT);
	bool is_live = side == pass->live;
	int rc = gap[0] != '\0' && !is_live ? owe_for(pass, side, table, gap, err) : 0;

	if (rc == 0) {
		/* What is renewed only may have a gap by now: that stays for the next check. */
		const char *known = gap[0] == '\0' ? NULL : is_live ? gap : "";
		rc = bm_capture_triggers_make(pass->phase, side, sync, text, known, err);
	}
	free(text);
	json_decref(list);
	if (rc != 0 && err->code == BM_ERR_SQL) {
		report_uncaptured(check, side, table, gap, err);
		*err = (struct bm_error)BM_ERROR_INIT;
		return 0;
	}
	if (rc != 0 || gap[0] == '\0') {
		return rc;
	}
	return bm_pause_reload(pass, sync, err);
}

static int watch_side(struct bm_table_check *check, enum bm_side side, const char *syncs,
		struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(check->pass->phase, side,
			"SELECT sync, tablename, table_schema, table_name, gap"
			" FROM bucardo.machine_capture_watch($1::json)",
			1, &syncs, err);
	int rc = rows != NULL ? 0 : -1;

	for (int i = 0; rc == 0 && i < PQntuples(rows); i++) {
		rc = capture_again(check, side, rows, i, err);
	}
	PQclear(rows);
	return rc == 0 ? 0
		       : bm_error_wrap(err, "looking what is captured on the %s",
					 bm_side_name(side));
}

int bm_capture_watch_prepare(struct bm_pass *pass, struct bm_error *err)
{
	const char *const name[] = {pass->phase->request.name};
	PGresult *old = bm_phase_ask(pass->phase, BM_SIDE_CONTROL,
			"SELECT 1 FROM bucardo.db WHERE name IN ($1 || '_source', $1 || '_destination')"
			" AND coalesce(dbconn, '') NOT LIKE '%" BM_SESSION_APPLYING "%'",
			1, name, err);
	int rc = old != NULL ? 0 : -1;

	if (rc == 0 && PQntuples(old) > 0) {
		struct bm_capture capture;
		rc = bm_capture_open(pass->phase, &capture, err);
		rc = rc == 0 ? bm_capture_names(&capture, err) : rc;
		bm_capture_finish(&capture);
	}
	PQclear(old);
	return rc;
}

int bm_capture_watch(struct bm_table_check *check, const PGresult *syncs, struct bm_error *err)
{
	bool is_both = check->pass->phase->request.is_both;
	json_t *names = json_array();
	int rc = 0;

	for (int i = 0; i < PQntuples(syncs); i++) {
		json_array_append_new(names, json_string(PQgetvalue(syncs, i, 0)));
	}
	char *list = json_dumps(names, JSON_COMPACT);
	/* With one direction nothing is applied any more once applications write there. */
	if (bm_pass_applies(check->pass)) {
		rc = watch_side(check, BM_SIDE_SOURCE, list, err);
	}
	if (rc == 0 && is_both) {
		rc = watch_side(check, BM_SIDE_DESTINATION, list, err);
	}
	free(list);
	json_decref(names);
	return rc;
}

static int report_requested(struct bm_table_check *check, struct bm_error *err)
{
	PGresult *requested = bm_resend_unseen(check->pass, err);

	for (int i = 0; requested != NULL && i < PQntuples(requested); i++) {
		add_finding(check, PQgetvalue(requested, i, 0),
				bm_format("changes of it may have gone unseen: %s. It is captured "
					  "again, and all its rows are sent again",
						PQgetvalue(requested, i, 1)),
				bm_strdup("nothing is to be done. If somebody switched triggers "
					  "off: those named bucardo_* must stay on"));
	}
	PQclear(requested);
	return requested != NULL ? 0 : -1;
}

int bm_capture_watch_resend(struct bm_table_check *check, struct bm_error *err)
{
	const char *table;
	json_t *ignored;

	/* Rows of a table that is not captured now would change unseen behind our back. */
	json_object_foreach(check->uncaptured, table, ignored)
	{
		json_object_del(check->running, table);
	}
	if (bm_emptied_request(check, err) != 0) {
		return -1;
	}
	/* Told before it is done: it may not take as long as to the next check. */
	return report_requested(check, err) == 0
			? bm_resend_run(check->pass, check->running, err)
			: -1;
}
