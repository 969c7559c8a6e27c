#include "worker/staging.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "worker/ask.h"

/* clang-format off */
/* Bring back up to `my_room` rows that are parked, with a stamp that is not marked as done. */
static const char unpark_function[] =
"CREATE OR REPLACE FUNCTION bucardo.machine_unpark(my_sync text, my_room bigint) RETURNS bigint"
" LANGUAGE plpgsql SET search_path = pg_catalog AS $machine$ "
"DECLARE n record; touched bigint; done bigint := 0; "
"BEGIN "
" FOR n IN SELECT d.deltaname, d.trackname, x.parked, (SELECT string_agg(quote_ident(a.attname), ', ')"
"   FROM pg_attribute a WHERE a.attrelid = to_regclass('bucardo.' || x.parked) AND a.attnum > 0"
"   AND NOT a.attisdropped AND a.attname <> 'txntime') AS keys"
"  FROM (SELECT DISTINCT deltaname, trackname FROM bucardo.bucardo_delta_names"
"   WHERE sync = my_sync) d,"
"  LATERAL (SELECT " BM_STAGING_PARKED("d.deltaname") " AS parked) x"
"  WHERE to_regclass('bucardo.' || x.parked) IS NOT NULL ORDER BY 1 LOOP "
"  EXIT WHEN done >= my_room; "
"  EXECUTE format('WITH back AS (DELETE FROM bucardo.%1$s p USING (SELECT ctid FROM bucardo.%1$s"
" LIMIT $1) s WHERE p.ctid = s.ctid RETURNING p.*) INSERT INTO bucardo.%2$s (%3$s, txntime)"
" SELECT DISTINCT %3$s, $2 FROM back', n.parked, n.deltaname, n.keys)"
"   USING my_room - done, bucardo.machine_fresh_stamp(n.trackname); "
"  GET DIAGNOSTICS touched = ROW_COUNT; "
"  done := done + touched; "
" END LOOP; "
" RETURN done; "
"END $machine$";

/*
 * $1 rows stay in the delta tables, those that came first; the rest is parked. The usual
 * case costs a look at the sizes of files: a row takes 40 bytes or more.
 */
static const char stage_function[] =
"CREATE OR REPLACE FUNCTION bucardo.machine_stage(my_sync text) RETURNS void"
" LANGUAGE plpgsql SET search_path = pg_catalog AS $machine$ "
"DECLARE n record; rows_limit bigint; mark text; bytes bigint; parked boolean; room bigint;"
" waiting bigint; "
"BEGIN "
" SELECT m.stage_rows, m.target INTO rows_limit, mark FROM bucardo.machine_syncs m"
"  WHERE m.sync = my_sync; "
" SELECT coalesce(sum(pg_relation_size(to_regclass('bucardo.' || d.deltaname))), 0), coalesce(bool_or("
"   to_regclass('bucardo.' || " BM_STAGING_PARKED("d.deltaname") ") IS NOT NULL), false)"
"  INTO bytes, parked FROM bucardo.bucardo_delta_names d WHERE d.sync = my_sync; "
" IF coalesce(rows_limit, 0) = 0 THEN "
"  IF parked THEN PERFORM bucardo.machine_unpark(my_sync, 9223372036854775807); END IF; "
"  RETURN; "
" END IF; "
" IF NOT parked AND bytes < rows_limit * 40 THEN RETURN; END IF; "
" room := rows_limit; "
" FOR n IN SELECT DISTINCT d.deltaname, d.trackname, "
      BM_STAGING_PARKED("d.deltaname") " AS parked"
"  FROM bucardo.bucardo_delta_names d WHERE d.sync = my_sync"
"  AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL"
"  AND NOT EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names o"
"   WHERE o.deltaname = d.deltaname AND o.sync <> my_sync) ORDER BY 1 LOOP "
"  EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM bucardo.%s d WHERE NOT EXISTS (SELECT 1"
" FROM bucardo.%s t WHERE t.txntime = d.txntime AND t.target = $1) LIMIT $2) x',"
"   n.deltaname, n.trackname) INTO waiting USING mark, room + 1; "
"  IF waiting <= room THEN room := room - waiting; CONTINUE; END IF; "
"  IF to_regclass('bucardo.' || n.parked) IS NULL THEN "
"   EXECUTE format('CREATE TABLE bucardo.%s (LIKE bucardo.%s)', n.parked, n.deltaname); "
"  END IF; "
"  EXECUTE format('WITH gone AS (DELETE FROM bucardo.%1$s d USING (SELECT x.ctid FROM bucardo.%1$s x"
" WHERE NOT EXISTS (SELECT 1 FROM bucardo.%2$s t WHERE t.txntime = x.txntime AND t.target = $1)"
" OFFSET $2) s WHERE d.ctid = s.ctid RETURNING d.*) INSERT INTO bucardo.%3$s SELECT * FROM gone',"
"   n.deltaname, n.trackname, n.parked) USING mark, room; "
"  room := 0; "
" END LOOP; "
" IF parked AND room > 0 THEN PERFORM bucardo.machine_unpark(my_sync, room); END IF; "
"END $machine$";
/*
 * Bucardo's bucardo_delta_check(), which tables have changes that wait, in other words: that
 * one asks for a mark of this target OR of another kind, finds no index for it, and compares
 * each change that was applied with each mark. 25,000 took it 25 s.
 */
static const char check_function[] =
"CREATE OR REPLACE FUNCTION bucardo.machine_delta_check(my_sync text, my_target text)"
" RETURNS SETOF text LANGUAGE plpgsql SET search_path = pg_catalog AS $machine$ "
"DECLARE n record; waits boolean; "
"BEGIN "
" FOR n IN SELECT * FROM bucardo.bucardo_delta_names WHERE sync = my_sync ORDER BY tablename LOOP "
"  EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%1$s d WHERE NOT EXISTS (SELECT 1"
" FROM bucardo.%2$s t WHERE t.txntime = d.txntime AND t.target = $1) AND NOT EXISTS (SELECT 1"
" FROM bucardo.%2$s t WHERE t.txntime = d.txntime AND t.target ~ ''^T:''))',"
"   n.deltaname, n.trackname) INTO waits USING my_target; "
"  RETURN NEXT CASE WHEN waits THEN '1,' ELSE '0,' END || n.tablename; "
" END LOOP; "
"END $machine$";
/* clang-format on */

const char *const bm_staging_steps[] = {unpark_function, stage_function, check_function};
const size_t bm_staging_step_count = BM_COUNT_OF(bm_staging_steps);

bool bm_staging_is_collision(const char *text)
{
	/* Class 23: integrity constraint violation. */
	return strstr(text, "SQLSTATE 23") != NULL;
}

/* A statement about the sync that gives nothing to read. */
static int tell(PGconn *conn, const char *sql, const char *sync,
		const struct bm_staging_state *state, uint64_t limit_msec, struct bm_error *err)
{
	char waiting[24], parked[24];
	const char *const params[] = {sync, waiting, parked};

	snprintf(waiting, sizeof(waiting), "%" PRId64, state->waiting);
	snprintf(parked, sizeof(parked), "%" PRId64, state->parked);
	PGresult *result = bm_ask(conn, sql, 3, params, limit_msec, err);
	PQclear(result);
	return result != NULL ? 0 : -1;
}

int bm_staging_tend(PGconn *conn, const char *sync, const struct bm_staging_state *state,
		uint64_t limit_msec, struct bm_error *err)
{
	/* A run that failed has parked nothing: what it was about to park counts too. */
	const char *off = "UPDATE bucardo.machine_syncs SET stage_rows = 0 WHERE sync = $1"
			  " AND stage_rows > 0 AND ($3::bigint > 0 OR $2::bigint > stage_rows)";
	const char *on = "UPDATE bucardo.machine_syncs SET stage_rows = DEFAULT WHERE sync = $1"
			 " AND stage_rows = 0 AND $2::bigint = 0 AND $3::bigint = 0";
	const char *back = "SELECT bucardo.machine_unpark($1, 20000)"
			   " WHERE $3::bigint > 0 AND $2::bigint = $3::bigint";

	if (tell(conn, state->collided ? off : on, sync, state, limit_msec, err) != 0) {
		return -1;
	}
	return state->idle ? tell(conn, back, sync, state, limit_msec, err) : 0;
}
