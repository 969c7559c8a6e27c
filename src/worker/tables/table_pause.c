/*
 * The order of steps makes each of them safe to be the last one before a kill: a table
 * that is half paused is found with either mark, and paused or put back as it shall be.
 */
#include "worker/tables/table_pause.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "base/protocol/report.h"

/* clang-format off */
static const char divert_function[] =
#include "worker/tables/sql/machine_divert.sql.inc"
;

static const char rename_function[] =
#include "worker/tables/sql/machine_rename.sql.inc"
;

static const char *const prepare_steps[] = {
	"SET client_min_messages = warning",
	divert_function, rename_function,
	"DO $machine$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger"
	" WHERE tgrelid = 'bucardo.bucardo_truncate_trigger'::regclass"
	" AND tgname = 'machine_divert') THEN"
	" CREATE TRIGGER machine_divert BEFORE INSERT ON bucardo.bucardo_truncate_trigger"
	" FOR EACH ROW EXECUTE PROCEDURE bucardo.machine_divert(); END IF;"
	/* Truncates of sessions in replica role count too. */
	" IF EXISTS (SELECT 1 FROM pg_catalog.pg_trigger WHERE tgname = 'machine_divert' AND tgenabled <> 'A'"
	"  AND tgrelid = 'bucardo.bucardo_truncate_trigger'::regclass) THEN ALTER TABLE"
	" bucardo.bucardo_truncate_trigger ENABLE ALWAYS TRIGGER machine_divert; END IF; END $machine$",
};

/* $1 the sync, $2 a JSON list of tables, $3 the source's name. */
#define THOSE_GOATS \
	" FROM bucardo.sync s JOIN bucardo.goat g ON g.db = $3 AND g.reltype = 'table'" \
	" AND quote_ident(g.schemaname) || '.' || quote_ident(g.tablename)" \
	"  IN (SELECT json_array_elements_text($2::json)) WHERE s.name = $1"
static const char leave_sql[] =
"DELETE FROM bucardo.herdmap h USING (SELECT s.herd, g.id" THOSE_GOATS ") x"
" WHERE h.herd = x.herd AND h.goat = x.id";
static const char join_sql[] =
"INSERT INTO bucardo.herdmap (herd, goat) SELECT s.herd, g.id" THOSE_GOATS
" ON CONFLICT (herd, goat) DO NOTHING";

/* Bucardo refuses a sync without tables. */
static const char status_sql[] =
#include "worker/deltas/sql/sync_by_members.sql.inc"
;
/* clang-format on */

int bm_pause_prepare_side(struct bm_pass *pass, enum bm_side side, const char *const *steps,
		size_t count, struct bm_error *err)
{
	PGresult *found = bm_phase_ask(pass->phase, side,
			"SELECT to_regclass('bucardo.bucardo_truncate_trigger') IS NOT NULL", 0,
			NULL, err);
	int rc = found != NULL ? 0 : -1;
	bool is_captured = rc == 0 && PQgetvalue(found, 0, 0)[0] == 't';

	PQclear(found);
	for (size_t i = 0; rc == 0 && is_captured && i < count; i++) {
		rc = bm_phase_do(pass->phase, side, steps[i], 0, NULL, err);
	}
	return rc == 0 ? 0
		       : bm_error_wrap(err, "preparing schema bucardo on the %s",
					 bm_side_name(side));
}

int bm_pause_prepare(struct bm_pass *pass, struct bm_error *err)
{
	size_t count = BM_COUNT_OF(prepare_steps);
	int rc = bm_pause_prepare_side(pass, BM_SIDE_SOURCE, prepare_steps, count, err);

	return rc == 0 ? bm_pause_prepare_side(
					 pass, BM_SIDE_DESTINATION, prepare_steps, count, err)
		       : -1;
}

/* ---- the ends ---- */

/*
 * The source last: its mark is the one that is looked for. But a run between the two must not
 * see what waits on the old side without what waits on the live one: that would go over it.
 */
static int rename_at_sides(struct bm_pass *pass, const struct bm_paused_sync *sync,
		const char *list, bool paused, struct bm_error *err)
{
	bool source_first = paused && pass->live == BM_SIDE_DESTINATION;
	const enum bm_side sides[] = {source_first ? BM_SIDE_SOURCE : BM_SIDE_DESTINATION,
			source_first ? BM_SIDE_DESTINATION : BM_SIDE_SOURCE};
	char *name = bm_format("%s (paused)", sync->name);
	const char *const params[] = {
			paused ? sync->name : name, paused ? name : sync->name, list};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(sides); i++) {
		if (sides[i] == BM_SIDE_SOURCE || sync->is_both) {
			rc = bm_phase_do(pass->phase, sides[i],
					"SELECT bucardo.machine_rename($1, $2, $3::json)", 3,
					params, err);
		}
	}
	free(name);
	return rc;
}

/* ---- the control database ---- */

/* Sent with the commit; on both channels, as bucardo/ does it. */
static int notify(struct bm_pass *pass, const char *message, struct bm_error *err)
{
	return bm_phase_do(pass->phase, BM_SIDE_CONTROL,
			"SELECT pg_notify('bucardo', $1), pg_notify('bucardo_' || $1, '')", 1,
			&message, err);
}

static int send_reload(struct bm_pass *pass, const char *sync, struct bm_error *err)
{
	char *reload = bm_format("reload_sync_%s", sync);
	char *kick = bm_format("kick_sync_%s", sync);
	int rc = notify(pass, reload, err);

	if (rc == 0) {
		rc = notify(pass, kick, err); /* waits in the master until that is done */
	}
	free(reload);
	free(kick);
	return rc;
}

/* A sync has to be active when it has tables, and cannot be without. */
static int renew(struct bm_pass *pass, const char *sync, struct bm_error *err)
{
	PGresult *status = bm_phase_ask(
			pass->phase, BM_SIDE_CONTROL, status_sql, 1, &sync, err);
	int rc = -1;

	if (status != NULL && PQntuples(status) > 0) {
		rc = notify(pass, PQgetvalue(status, 0, 0), err);
	} else if (status != NULL) {
		rc = send_reload(pass, sync, err);
	}
	PQclear(status);
	return rc;
}

/* `list` NULL: all members stay. */
static int change_members(struct bm_pass *pass, const char *sync, const char *list, bool paused,
		struct bm_error *err)
{
	if (list == NULL) {
		return renew(pass, sync, err);
	}
	char *source = bm_format("%s_source", pass->phase->request.name);
	const char *const params[] = {sync, list, source};
	PGresult *changed = bm_phase_ask(pass->phase, BM_SIDE_CONTROL,
			paused ? leave_sql : join_sql, 3, params, err);
	int rc = changed != NULL ? 0 : -1;

	if (rc == 0 && strcmp(PQcmdTuples(changed), "0") != 0) {
		rc = renew(pass, sync, err);
	}
	PQclear(changed);
	free(source);
	return rc;
}

static int set_members(struct bm_pass *pass, const char *sync, const char *list, bool paused,
		struct bm_error *err)
{
	int rc = bm_phase_begin(pass->phase, err);

	if (rc == 0) {
		rc = change_members(pass, sync, list, paused, err);
	}
	return bm_phase_end(pass->phase, rc, err);
}

int bm_pause_reload(struct bm_pass *pass, const char *sync, struct bm_error *err)
{
	return set_members(pass, sync, NULL, false, err);
}

int bm_pause_reload_with(struct bm_pass *pass, const char *sync, const char *sql, int count,
		const char *const *params, struct bm_error *err)
{
	int rc = bm_phase_begin(pass->phase, err);

	if (rc == 0) {
		rc = bm_phase_do(pass->phase, BM_SIDE_CONTROL, sql, count, params, err);
	}
	if (rc == 0) {
		rc = renew(pass, sync, err);
	}
	return bm_phase_end(pass->phase, rc, err);
}

int bm_pause_set(struct bm_pass *pass, const struct bm_paused_sync *sync, const json_t *names,
		bool paused, struct bm_error *err)
{
	char *list = json_dumps(names, JSON_COMPACT);
	int rc = paused ? rename_at_sides(pass, sync, list, true, err) : 0;

	if (rc == 0) {
		rc = set_members(pass, sync->name, list, paused, err);
	}
	if (rc == 0 && !paused) {
		rc = rename_at_sides(pass, sync, list, false, err);
	}
	free(list);
	return rc == 0 ? 0
		       : bm_error_wrap(err, "%s tables of sync '%s'",
					 paused ? "pausing" : "putting back", sync->name);
}
