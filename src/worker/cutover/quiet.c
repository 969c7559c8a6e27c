/* Bucardo lets go of the syncs, and takes them up again; or takes them both ways. */
#include "worker/cutover/attempt.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/syncs.h"
#include "base/protocol/report.h"
#include "worker/capture/capture.h"
#include "worker/deltas/sync_switch.h"
#include "worker/live/live.h"

#define LOOK_MSEC 50
#define QUIET_LIMIT_MSEC 60000
/* How long the first run the other way is waited for. */
#define SEEN_LIMIT_MSEC 20000
#define KICK_MSEC 3000

/* A TRUNCATE, which only a run of Bucardo does: how long that is waited for, and how often
 * another one may come meanwhile. */
#define TRUNCATE_LIMIT_MSEC 30000
#define TRUNCATES 3

/* clang-format off */
/* A KID is one also between two runs. */
static const char kids_sql[] =
"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
" AND application_name ~ ('^bucardo KID [(]' || $1 || '_sync(_[2-8])?[)]')";

static const char state_sql[] =
#include "worker/deltas/sql/apply_state.sql.inc"
;

/* Syncs without a good run that began since $2. */
static const char unseen_sql[] =
"SELECT count(*) FROM bucardo.sync s WHERE s.name ~ ('^' || $1 || '" BM_SYNC_SUFFIXES "')"
" AND s.status = 'active' AND NOT EXISTS (SELECT 1 FROM bucardo.syncrun r WHERE r.sync = s.name"
"  AND r.started >= $2::timestamptz AND r.ended IS NOT NULL AND (r.lastgood OR r.lastempty))";
/* clang-format on */

static int count(struct bm_cutover *c, const char *sql, const char *since, long *out,
		struct bm_error *err)
{
	const char *const params[] = {c->phase->request.name, since};
	PGresult *rows = bm_phase_ask(
			c->phase, BM_SIDE_CONTROL, sql, since != NULL ? 2 : 1, params, err);

	if (rows == NULL) {
		return -1;
	}
	*out = atol(PQgetvalue(rows, 0, 0));
	PQclear(rows);
	return 0;
}

/* ---- truncates ---- */

/* The tables of which a TRUNCATE waits (free()); "" none. NULL with `err`. */
static char *read_truncates(struct bm_cutover *c, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(
			c->phase, c->from, state_sql, 1, &c->phase->request.name, err);
	char *names = rows != NULL ? strdup(PQgetvalue(rows, 0, 0)) : NULL;

	PQclear(rows);
	return names;
}

int bm_cutover_truncate_waits(struct bm_cutover *c, struct bm_error *err)
{
	char *names = read_truncates(c, err);
	int waits = names == NULL ? -1 : names[0] != '\0';

	if (waits > 0) {
		snprintf(c->detail, sizeof(c->detail), "a TRUNCATE of %.300s", names);
	}
	free(names);
	return waits;
}

/* Our own applier does none; a run does. */
static int wait_for_truncates(struct bm_cutover *c, struct bm_error *err)
{
	uint64_t begun_msec = bm_clock_msec(), kick_msec = 0;
	int waits;

	while ((waits = bm_cutover_truncate_waits(c, err)) > 0) {
		if (kick_msec == 0) {
			bm_report_note("%s waits: Bucardo does it first", c->detail);
		}
		if (bm_clock_msec() >= kick_msec) {
			kick_msec = bm_clock_msec() + KICK_MSEC;
			if (bm_syncs_kick(c->phase, err) != 0) {
				return -1;
			}
		}
		if (bm_clock_msec() - begun_msec >= TRUNCATE_LIMIT_MSEC) {
			snprintf(c->phase->hint, sizeof(c->phase->hint),
					"bucardo-machine status says what keeps Bucardo from it; ask "
					"again when it is replicated");
			return bm_error_set(err, BM_ERR_TIMEOUT,
					"%s was not replicated within %d s", c->detail,
					TRUNCATE_LIMIT_MSEC / 1000);
		}
		poll(NULL, 0, LOOK_MSEC);
	}
	return waits;
}

/* ---- quiet ---- */

static int let_go(struct bm_cutover *c, struct bm_error *err)
{
	uint64_t end_msec = bm_clock_msec() + QUIET_LIMIT_MSEC;
	long kids = 1;

	c->is_quiet = true;
	if (bm_syncs_deactivate(c->phase, err) != 0) {
		return -1;
	}
	for (;;) {
		if (count(c, kids_sql, NULL, &kids, err) != 0) {
			return -1;
		}
		if (kids == 0) {
			return 0;
		}
		if (bm_clock_msec() >= end_msec) {
			return bm_error_set(err, BM_ERR_TIMEOUT,
					"Bucardo has not let go of the syncs within %d s: %ld of its "
					"processes work for them",
					QUIET_LIMIT_MSEC / 1000, kids);
		}
		poll(NULL, 0, LOOK_MSEC);
	}
}

int bm_cutover_quiet(struct bm_cutover *c, struct bm_error *err)
{
	int waits = 1;

	for (int i = 0; waits > 0 && i < TRUNCATES; i++) {
		if (i > 0 && bm_cutover_wake(c, err) != 0) {
			return -1;
		}
		if (wait_for_truncates(c, err) != 0 || let_go(c, err) != 0) {
			return -1;
		}
		waits = bm_cutover_truncate_waits(c, err);
	}
	if (waits > 0) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"%s came each time that Bucardo had done one", c->detail);
	}
	c->detail[0] = '\0';
	return waits;
}

int bm_cutover_wake(struct bm_cutover *c, struct bm_error *err)
{
	if (bm_syncs_activate(c->phase, err) != 0) {
		return -1;
	}
	c->is_quiet = false;
	return 0;
}

static char *control_time(struct bm_cutover *c, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(
			c->phase, BM_SIDE_CONTROL, "SELECT clock_timestamp()", 0, NULL, err);
	char *text = rows != NULL ? strdup(PQgetvalue(rows, 0, 0)) : NULL;

	PQclear(rows);
	return text;
}

/* A run of each sync, kicked until it comes; what is not seen in time is told, and no failure.
 */
static int wait_seen(struct bm_cutover *c, const char *since, struct bm_error *err)
{
	uint64_t begun = bm_clock_msec(), kick_msec = 0;
	long unseen = 1;

	while (unseen > 0 && bm_clock_msec() - begun < SEEN_LIMIT_MSEC) {
		if (bm_clock_msec() >= kick_msec) {
			kick_msec = bm_clock_msec() + KICK_MSEC;
			if (bm_syncs_kick(c->phase, err) != 0) {
				return -1;
			}
		}
		if (count(c, unseen_sql, since, &unseen, err) != 0) {
			return -1;
		}
		if (unseen > 0) {
			poll(NULL, 0, LOOK_MSEC);
		}
	}
	snprintf(c->detail, sizeof(c->detail), "%s",
			unseen == 0 ? "a run the other way was good"
				    : "no good run the other way was seen yet: `bucardo-machine "
				      "status` says what is in its way");
	return 0;
}

int bm_cutover_seen(struct bm_cutover *c, struct bm_error *err)
{
	if (!c->phase->request.is_both) {
		snprintf(c->detail, sizeof(c->detail),
				"direction is forward: nothing is replicated back");
		return 0;
	}
	char *since = control_time(c, err);
	int rc = since != NULL ? wait_seen(c, since, err) : -1;

	free(since);
	return rc;
}

/*
 * ---- the way back of a migration with direction forward ----
 *
 * Its destination is captured as well, before it is live. Whatever is missing is made, so that
 * one that was broken off goes on.
 */

/* clang-format off */
/* Bucardo's own triggers on this table are quiet in the replica role of our transactions. */
static const char role_sql[] =
"UPDATE bucardo.dbmap SET role = $2 WHERE role <> $2 AND db = $1 || '_destination'"
" AND dbgroup = $1 || '_dbs' RETURNING 1";

/* A master that works has read the roles at its start. */
static const char reload_sql[] = "SELECT pg_notify('bucardo', 'mcp_reload')";
/* clang-format on */

static int set_role(struct bm_phase *phase, const char *role, bool *is_changed,
		struct bm_error *err)
{
	const char *const params[] = {phase->request.name, role};
	int rc = bm_phase_begin(phase, err);
	PGresult *rows = rc == 0
			? bm_phase_ask(phase, BM_SIDE_CONTROL, role_sql, 2, params, err)
			: NULL;

	*is_changed = rows != NULL && PQntuples(rows) > 0;
	PQclear(rows);
	return bm_phase_end(phase, rows != NULL ? 0 : -1, err);
}

static int reload(struct bm_phase *phase, struct bm_error *err)
{
	return bm_phase_do(phase, BM_SIDE_CONTROL, reload_sql, 0, NULL, err);
}

int bm_cutover_way_back(struct bm_cutover *c, struct bm_error *err)
{
	struct bm_phase *phase = c->phase;
	struct bm_error ignored = BM_ERROR_INIT;
	bool is_changed;

	phase->request.is_both = true;
	/* The role first: what Bucardo writes down on a side depends on it. */
	int rc = set_role(phase, "source", &is_changed, err);
	if (rc == 0) {
		rc = bm_capture_take_all(phase, err);
	}
	if (rc == 0) {
		rc = reload(phase, err);
	}
	if (rc == 0) {
		rc = bm_live_register(phase, err);
	}
	if (rc != 0) {
		bm_cutover_drop_way_back(c, &ignored);
		return bm_error_wrap(err, "capturing the destination");
	}
	return 0;
}

int bm_cutover_drop_way_back(struct bm_cutover *c, struct bm_error *err)
{
	bool is_changed = false;
	int rc = set_role(c->phase, "target", &is_changed, err);

	c->phase->request.is_both = false;
	if (rc == 0 && is_changed) {
		rc = reload(c->phase, err);
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "leaving the way back as it was");
}
