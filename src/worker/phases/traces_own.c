/* What only some migrations have in a database that others use too: theirs stays as it is. */
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "worker/phases/traces.h"

/* One stage of the fence after another, and as many once more for what comes meanwhile. */
#define ROUNDS_MOST 8

/* clang-format off */
static const char own_triggers[] =
#include "worker/phases/sql/traces_own_triggers.sql.inc"
;
static const char own_tables[] =
#include "worker/phases/sql/traces_own_tables.sql.inc"
;
static const char own_release[] =
#include "worker/phases/sql/traces_own_release.sql.inc"
;
static const char own_rows[] =
#include "worker/phases/sql/traces_own_rows.sql.inc"
;
static const char own_fence[] =
#include "worker/phases/sql/traces_own_fence.sql.inc"
;
static const char own_left[] =
#include "worker/phases/sql/traces_own_left.sql.inc"
;

/* In this order: whose all of it is goes last. Of a run that was killed, or of an older machine,
 * some of these tables are not there. */
static const struct {
	const char *needs, *sql;
	bool destination, once; /* there only; it is not asked again whether something is left */
} steps[] = {
	{ "bucardo_machine.fence", own_fence, true, false },
	{ "bucardo.bucardo_delta_names", own_triggers, false, false },
	{ "bucardo.bucardo_delta_names", own_tables, false, false },
	{ "bucardo.machine_syncs", own_release, false, false },
	{ "pg_catalog.pg_class", own_rows, false, true },
};
/* clang-format on */

static int take_step(struct bm_traces *traces, size_t i, const char *names,
		const struct bm_traces_events *events, struct bm_error *err)
{
	int count = 1;

	for (int round = 0; count > 0 && round < ROUNDS_MOST; round++) {
		if (!bm_traces_has(traces, steps[i].needs)) {
			return 0;
		}
		count = bm_traces_work(traces, steps[i].sql, names, -1, events, err);
		if (count < 0) {
			return -1;
		}
		count = steps[i].once ? 0 : count;
	}
	return 0;
}

int bm_traces_remove_own(struct bm_traces *traces, const char *names,
		const struct bm_traces_events *events, struct bm_error *err)
{
	for (size_t i = 0; i < BM_COUNT_OF(steps); i++) {
		if (steps[i].destination && !traces->endpoint.is_destination) {
			continue;
		}
		if (take_step(traces, i, names, events, err) != 0) {
			return -1;
		}
	}
	return 0;
}

long bm_traces_count_own(struct bm_traces *traces, const char *names, struct bm_error *err)
{
	static const char word[] = "DROP TRIGGER";
	long count = 0;

	if (!bm_traces_has(traces, "bucardo.bucardo_delta_names")) {
		return 0;
	}
	PGresult *rows = bm_sql_params(traces->conn, own_triggers, 1, &names, err);
	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		const char *at = PQgetvalue(rows, row, 0);
		for (; (at = strstr(at, word)) != NULL; at += strlen(word)) {
			count++;
		}
	}
	PQclear(rows);
	return rows != NULL ? count : -1;
}

/* Whether a query that counts rows finds some. */
static bool finds(struct bm_traces *traces, const char *count, struct bm_error *err)
{
	char *value = bm_sql_value(traces->conn, count, err);
	bool some = value != NULL && strcmp(value, "0") != 0;

	free(value);
	return some;
}

int bm_traces_left_own(struct bm_traces *traces, const char *names,
		const struct bm_traces_events *events, struct bm_error *err)
{
	const char *const params[] = {names, traces->endpoint.is_destination ? "t" : "f"};
	PGresult *rows = bm_sql_params(traces->conn, own_left, 2, params, err);
	int left = 0;

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		if (PQgetisnull(rows, row, 2) || finds(traces, PQgetvalue(rows, row, 2), err)) {
			events->report(events->ctx, PQgetvalue(rows, row, 0),
					PQgetvalue(rows, row, 1));
			left++;
		}
	}
	PQclear(rows);
	return rows != NULL && err->code == BM_ERR_NONE ? left : -1;
}
