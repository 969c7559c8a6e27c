/* One statement a minute, on the side that applications write to. */
#include "worker/reconcile/shared_tables.h"

#include <jansson.h>
#include <stdio.h>

#include "bucardo_machine/clock.h"

#define LOOK_MSEC 60000

/* More than a target that is merely slow, or being restarted, needs. */
#define KEPT_FOR "10 minutes"

#define LISTED 50

static json_t *report(struct bm_pass *pass, const PGresult *rows)
{
	json_t *list = json_array();
	char text[800];

	for (int row = 0; row < PQntuples(rows) && row < LISTED; row++) {
		const char *table = PQgetvalue(rows, row, 0), *whom = PQgetvalue(rows, row, 1);
		snprintf(text, sizeof(text),
				"if it is gone for good, on the source: SELECT "
				"bucardo.machine_release('%.200s')",
				whom);
		json_array_append_new(list,
				json_pack("{s:s, s:s, s:s}", "table", table, "target", whom,
						"hint", text));
		snprintf(text, sizeof(text),
				"changes of %.200s that everybody else has applied are kept for %.200s; "
				"if it is gone for good, on the source: SELECT "
				"bucardo.machine_release('%.200s')",
				table, whom, whom);
		bm_pass_note(pass, whom, text);
	}
	return list;
}

int bm_reconcile_shared_tables(struct bm_pass *pass, struct bm_error *err)
{
	if (bm_clock_msec() < pass->kept_at_msec) {
		return 0;
	}
	PGresult *rows = bm_phase_ask(pass->phase, BM_SIDE_SOURCE,
			"SELECT k.kept_table, k.kept_for FROM bucardo.machine_kept(interval"
			" '" KEPT_FOR "') k",
			0, NULL, err);
	if (rows == NULL) {
		return -1;
	}
	json_object_set_new(pass->phase->evidence, "kept", report(pass, rows));
	pass->kept_at_msec = bm_clock_msec() + LOOK_MSEC;
	PQclear(rows);
	return 0;
}
