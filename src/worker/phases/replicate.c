/*
 * Phase replicate:
 *
 *     write down which tables a run needs a search_path for
 *     make the syncs active: from here on Bucardo may apply what was captured
 *     tell the master so, by name: it goes on serving the others (daemon/bucardo/serve.pl)
 *     watch what waits until all that was captured before has been applied
 *
 * The kicks come from the machine, which sees what waits (daemon/bucardo/repair.c). An active
 * sync is run by a master that starts, whatever autokick says: until now it had to be
 * inactive.
 */
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/syncs.h"
#include "worker/deltas/sync_probe.h"
#include "worker/deltas/sync_switch.h"
#include "worker/phases/phase.h"
#include "base/protocol/report.h"
#include "worker/reconcile/table_paths.h"

#define LOOK_MSEC 1000
#define COUNT_LIMIT_MSEC 30000

/* Add what waits at one side, for all syncs of the migration. */
static int count_side(struct bm_phase *phase, enum bm_side side, const PGresult *syncs,
		struct bm_backlog *total, struct bm_error *err)
{
	struct bm_backlog backlog;
	PGconn *conn = bm_phase_conn(phase, side, err);

	for (int i = 0; conn != NULL && i < PQntuples(syncs); i++) {
		bool captured = side == BM_SIDE_SOURCE || PQgetvalue(syncs, i, 2)[0] == 't';
		if (!captured) {
			continue;
		}
		if (bm_sync_probe_backlog(conn, PQgetvalue(syncs, i, 0),
				    PQgetvalue(syncs, i, 1), COUNT_LIMIT_MSEC, &backlog,
				    err) != 0) {
			return -1;
		}
		total->rows += backlog.rows;
		if (backlog.lag_msec > total->lag_msec) {
			total->lag_msec = backlog.lag_msec;
		}
	}
	return conn == NULL ? -1 : 0;
}

static int count_all(struct bm_phase *phase, struct bm_backlog *total, struct bm_error *err)
{
	const char *const name[] = {phase->request.name};
	PGresult *syncs = bm_phase_ask(phase, BM_SIDE_CONTROL,
			"SELECT s.name, 'dbgroup ' || s.dbs, (SELECT count(*) FROM bucardo.dbmap m"
			"  WHERE m.dbgroup = s.dbs AND m.role = 'source') > 1"
			" FROM bucardo.sync s WHERE s.name ~ ('^' || $1 || '" BM_SYNC_SUFFIXES
			"')",
			1, name, err);
	int rc = -1;

	*total = (struct bm_backlog){0};
	if (syncs != NULL && PQntuples(syncs) == 0) {
		bm_error_set(err, BM_ERR_PRECONDITION, "Bucardo has no sync '%s_sync'",
				phase->request.name);
	} else if (syncs != NULL) {
		rc = count_side(phase, BM_SIDE_SOURCE, syncs, total, err);
		if (rc == 0) {
			rc = count_side(phase, BM_SIDE_DESTINATION, syncs, total, err);
		}
	}
	PQclear(syncs);
	return rc;
}

/* What waited at first is the measure; rows that come meanwhile are not counted in. */
static void report(int64_t waiting, int64_t *most)
{
	*most = waiting > *most ? waiting : *most;
	bm_report_progress((uint64_t)(*most - waiting), (uint64_t)*most, "rows",
			"applying what was captured");
}

int bm_replicate_run(struct bm_phase *phase, struct bm_error *err)
{
	struct bm_backlog waiting;
	int64_t most = 0;
	uint64_t begun_msec = bm_clock_msec();

	if (bm_table_paths_renew(phase, err) != 0 || bm_syncs_activate(phase, err) != 0) {
		return -1;
	}
	for (;;) {
		if (count_all(phase, &waiting, err) != 0) {
			return -1;
		}
		/* There is always something under way while the source is written to. */
		if (waiting.rows == 0 ||
				waiting.lag_msec < (int64_t)(bm_clock_msec() - begun_msec)) {
			break;
		}
		report(waiting.rows, &most);
		poll(NULL, 0, LOOK_MSEC); /* the end of stdin ends us here too */
	}
	report(0, &most);
	json_object_set_new(phase->evidence, "applied_rows", json_integer((json_int_t)most));
	return 0;
}
