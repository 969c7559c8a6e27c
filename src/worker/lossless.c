/* The functions of schema bucardo that are ours; all are called machine_*. */
#include "worker/lossless.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "worker/ask.h"

/* clang-format off */
/* Real time to the millisecond; the rest tells transactions apart. */
#define STAMP \
	"(pg_catalog.date_trunc('milliseconds', pg_catalog.now())" \
	" + (pg_catalog.txid_current() % 1000) * interval '1 microsecond')"

/*
 * The tables that Bucardo would make itself: it takes what it finds. Its own names for
 * delta tables, as its function bucardo_tablename_maker() gives them.
 */
static const char prepare_function[] =
"CREATE OR REPLACE FUNCTION bucardo.machine_prepare(my_tables json) RETURNS void"
" LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '500ms' AS $machine$ "
"DECLARE t json; joined text; delta text; "
"BEGIN "
" FOR t IN SELECT * FROM json_array_elements(my_tables) LOOP "
"  joined := replace((t->>'schema') || '_' || (t->>'name'), '.', '_'); "
"  IF length(joined) > 57 THEN "
"   joined := substr(joined, 1, 46) || '!' || substr(md5(joined), 1, 10); "
"  END IF; "
"  delta := format('bucardo.%I', 'delta_' || joined); "
"  IF to_regclass(delta) IS NULL THEN "
"   EXECUTE format('CREATE TABLE %s AS SELECT %s, now() AS txntime FROM ONLY %I.%I LIMIT 0',"
"    delta, replace(t->>'key_quoted', '|', ', '), t->>'schema', t->>'name'); "
"   EXECUTE format('ALTER TABLE %s ALTER txntime SET NOT NULL', delta); "
"   EXECUTE 'ALTER TABLE ' || delta || ' ALTER txntime SET DEFAULT ' ||"
"    $stamp$" STAMP "$stamp$; "
"  END IF; "
" END LOOP; "
"END $machine$";

/* A table that was made anew, by an older machine or by a person, has the stock stamp. */
static const char stamp_function[] =
"CREATE OR REPLACE FUNCTION bucardo.machine_stamp(my_sync text) RETURNS bigint"
" LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '200ms' AS $machine$ "
"DECLARE n record; done bigint := 0; "
"BEGIN "
" FOR n IN SELECT d.deltaname FROM bucardo.bucardo_delta_names d"
"  JOIN pg_attribute a ON a.attrelid = to_regclass('bucardo.' || d.deltaname)"
"   AND a.attname = 'txntime'"
"  LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum"
"  WHERE d.sync = my_sync"
"  AND coalesce(pg_get_expr(f.adbin, f.adrelid), '') NOT LIKE '%txid_current()%' LOOP "
"  BEGIN "
"   EXECUTE 'ALTER TABLE bucardo.' || n.deltaname || ' ALTER txntime SET DEFAULT ' ||"
"    $stamp$" STAMP "$stamp$; "
"   done := done + 1; "
"  EXCEPTION WHEN lock_not_available THEN NULL; "
"  END; "
" END LOOP; "
" RETURN done; "
"END $machine$";

/* A stamp that no track row has: what gets it is pending. */
static const char fresh_function[] =
"CREATE OR REPLACE FUNCTION bucardo.machine_fresh_stamp(my_track text) RETURNS timestamptz"
" LANGUAGE plpgsql SET search_path = pg_catalog AS $machine$ "
"DECLARE fresh timestamptz := clock_timestamp(); taken boolean; "
"BEGIN "
" LOOP "
"  EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%s WHERE txntime = $1)', my_track)"
"   INTO taken USING fresh; "
"  IF NOT taken THEN RETURN fresh; END IF; "
"  fresh := fresh + interval '1 microsecond'; "
" END LOOP; "
"END $machine$";

/*
 * Rows with a stamp that is marked as done get a fresh one. A KID that is under way sees
 * the old rows, all marked as done, or none of the mark: in either case the new stamp is
 * pending for the run after it.
 */
static const char heal_function[] =
"CREATE OR REPLACE FUNCTION bucardo.machine_heal(my_sync text) RETURNS bigint"
" LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '200ms' AS $machine$ "
"DECLARE n record; fresh timestamptz; touched bigint; done bigint := 0; "
"BEGIN "
" FOR n IN SELECT DISTINCT d.deltaname, d.trackname, s.target FROM bucardo.bucardo_delta_names d"
"  JOIN bucardo.machine_syncs s USING (sync) WHERE d.sync = my_sync"
"  AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL ORDER BY 1 LOOP "
"  BEGIN "
"   fresh := bucardo.machine_fresh_stamp(n.trackname); "
"   EXECUTE format('UPDATE bucardo.%s SET txntime = $1 WHERE txntime IN ("
"SELECT d.txntime FROM bucardo.%s d WHERE EXISTS (SELECT 1 FROM bucardo.%s t"
" WHERE t.target = $2 AND t.txntime = d.txntime)"
" GROUP BY d.txntime HAVING min(d.xmin::text) <> max(d.xmin::text))',"
"    n.deltaname, n.deltaname, n.trackname) USING fresh, n.target; "
"   GET DIAGNOSTICS touched = ROW_COUNT; "
"   done := done + touched; "
"  EXCEPTION WHEN lock_not_available THEN NULL; "
"  END; "
" END LOOP; "
" UPDATE bucardo.machine_syncs SET healed = healed + done WHERE sync = my_sync AND done > 0; "
" RETURN done; "
"END $machine$";

/*
 * To be called in a REPEATABLE READ transaction: what another transaction adds with an
 * old stamp after the snapshot stays, and its track row is gone then, so it is pending.
 * A table that a sync of somebody else uses too is left to Bucardo.
 */
static const char purge_function[] =
"CREATE OR REPLACE FUNCTION bucardo.machine_purge(my_sync text, my_limit int) RETURNS bigint"
" LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '200ms' AS $machine$ "
"DECLARE n record; touched bigint; done bigint := 0; "
"BEGIN "
" IF current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable') THEN "
"  RAISE EXCEPTION 'machine_purge() needs a transaction of isolation level repeatable read'; "
" END IF; "
" PERFORM bucardo.machine_heal(my_sync); "
" FOR n IN SELECT d.deltaname, d.trackname, s.target FROM bucardo.bucardo_delta_names d"
"  JOIN bucardo.machine_syncs s USING (sync) WHERE d.sync = my_sync"
"  AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL"
"  AND NOT EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names o"
"   WHERE o.deltaname = d.deltaname AND o.sync <> my_sync) ORDER BY 1 LOOP "
"  BEGIN "
"   EXECUTE format('DELETE FROM bucardo.%s WHERE ctid = ANY (ARRAY(SELECT d.ctid"
" FROM bucardo.%s d WHERE EXISTS (SELECT 1 FROM bucardo.%s t WHERE t.target = $1"
" AND t.txntime = d.txntime) LIMIT $2))', n.deltaname, n.deltaname, n.trackname)"
"    USING n.target, my_limit; "
"   GET DIAGNOSTICS touched = ROW_COUNT; "
"   done := done + touched; "
"   EXECUTE format('DELETE FROM bucardo.%s t WHERE t.target = $1 AND NOT EXISTS (SELECT 1"
" FROM bucardo.%s d WHERE d.txntime = t.txntime)', n.trackname, n.deltaname) USING n.target; "
"  EXCEPTION WHEN lock_not_available THEN NULL; "
"  END; "
" END LOOP; "
" RETURN done; "
"END $machine$";

/* Bucardo purges the tables that this list of its names, once for all dbgroups. */
static const char keep_function[] =
"CREATE OR REPLACE FUNCTION bucardo.machine_keep() RETURNS trigger"
" LANGUAGE plpgsql SET search_path = pg_catalog AS $machine$ "
"BEGIN "
" IF EXISTS (SELECT 1 FROM bucardo.machine_syncs WHERE target = NEW.target) THEN "
"  RETURN NULL; "
" END IF; "
" RETURN NEW; "
"END $machine$";

/* In this order; all of it is there already when it is done again. */
static const char *const prepare_steps[] = {
	"CREATE SCHEMA IF NOT EXISTS bucardo",
	"CREATE TABLE IF NOT EXISTS bucardo.machine_syncs (sync text PRIMARY KEY, target text NOT NULL)",
	/* One that an older machine made lacks what came later. */
	"DO $machine$ DECLARE c text; BEGIN FOR c IN SELECT w FROM unnest(ARRAY["
	"'stage_rows bigint NOT NULL DEFAULT " BM_STAGING_ROWS "', 'healed bigint NOT NULL DEFAULT 0']) w"
	" WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute"
	"  WHERE attrelid = 'bucardo.machine_syncs'::regclass AND attname = split_part(w, ' ', 1)) LOOP"
	" EXECUTE 'ALTER TABLE bucardo.machine_syncs ADD COLUMN ' || c; END LOOP; END $machine$",
	"CREATE TABLE IF NOT EXISTS bucardo.bucardo_delta_targets (tablename oid NOT NULL,"
	" target text NOT NULL, cdate timestamptz NOT NULL DEFAULT now())",
	prepare_function, stamp_function, fresh_function, heal_function, purge_function, keep_function,
	"DO $machine$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger"
	" WHERE tgrelid = 'bucardo.bucardo_delta_targets'::regclass AND tgname = 'machine_keep') THEN"
	" CREATE TRIGGER machine_keep BEFORE INSERT ON bucardo.bucardo_delta_targets"
	" FOR EACH ROW EXECUTE PROCEDURE bucardo.machine_keep(); END IF; END $machine$",
};
/* clang-format on */

/* A purge this large keeps the server busy for a second or two. */
#define PURGE_ROWS "100000"

static int make_functions(struct bm_phase *phase, enum bm_end end, struct bm_error *err)
{
	/* "already exists, skipping" is no news. */
	if (bm_phase_do(phase, end, "SET client_min_messages = warning", 0, NULL, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < BM_COUNT_OF(prepare_steps); i++) {
		if (bm_phase_do(phase, end, prepare_steps[i], 0, NULL, err) != 0) {
			return bm_error_wrap(err, "making schema bucardo on the %s",
					bm_end_name(end));
		}
	}
	for (size_t i = 0; i < bm_staging_step_count; i++) {
		if (bm_phase_do(phase, end, bm_staging_steps[i], 0, NULL, err) != 0) {
			return bm_error_wrap(
					err, "making functions on the %s", bm_end_name(end));
		}
	}
	return 0;
}

int bm_lossless_renew(struct bm_phase *phase, enum bm_end end, struct bm_error *err)
{
	PGresult *found = bm_phase_ask(phase, end,
			"SELECT to_regclass('bucardo.machine_syncs') IS NOT NULL", 0, NULL,
			err);
	int rc = found != NULL ? 0 : -1;

	if (rc == 0 && PQgetvalue(found, 0, 0)[0] == 't') {
		rc = make_functions(phase, end, err);
	}
	PQclear(found);
	return rc;
}

int bm_lossless_claim(struct bm_phase *phase, enum bm_end end, const char *sync,
		const char *target, struct bm_error *err)
{
	const char *const params[] = {sync, target};

	if (make_functions(phase, end, err) != 0) {
		return -1;
	}
	return bm_phase_do(phase, end,
			"INSERT INTO bucardo.machine_syncs (sync, target) VALUES ($1, $2)"
			" ON CONFLICT (sync) DO UPDATE SET target = excluded.target",
			2, params, err);
}

int bm_lossless_prepare(struct bm_phase *phase, enum bm_end end, const char *tables,
		struct bm_error *err)
{
	return bm_phase_do(phase, end, "SELECT bucardo.machine_prepare($1::json)", 1, &tables,
			err);
}

/* ---- tending ---- */

static int64_t ask_number(PGconn *conn, const char *sql, const char *sync, uint64_t limit_msec,
		struct bm_error *err)
{
	PGresult *rows = bm_ask(conn, sql, sync != NULL, &sync, limit_msec, err);
	int64_t number = -1;

	if (rows != NULL) {
		number = PQntuples(rows) > 0 ? strtoll(PQgetvalue(rows, 0, 0), NULL, 10) : 0;
	}
	PQclear(rows);
	return number;
}

static int64_t is_claimed(
		PGconn *conn, const char *sync, uint64_t limit_msec, struct bm_error *err)
{
	int64_t any = ask_number(conn,
			"SELECT (to_regclass('bucardo.machine_syncs') IS NOT NULL"
			" AND to_regclass('bucardo.bucardo_delta_names') IS NOT NULL)::int",
			NULL, limit_msec, err);

	return any <= 0 ? any
			: ask_number(conn,
					  "SELECT count(*) FROM bucardo.machine_syncs"
					  " WHERE sync = $1",
					  sync, limit_msec, err);
}

/* -1 with `err`; the transaction is open then. */
static int tend(PGconn *conn, const char *sync, bool purge,
		const struct bm_staging_state *staging, uint64_t limit_msec, int64_t *healed,
		struct bm_error *err)
{
	const char *heal = purge ? "SELECT bucardo.machine_purge($1, " PURGE_ROWS ")"
				 : "SELECT bucardo.machine_heal($1)";

	if (ask_number(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE", NULL,
			    limit_msec, err) < 0 ||
			ask_number(conn, "SELECT bucardo.machine_stamp($1)", sync, limit_msec,
					err) < 0) {
		return -1;
	}
	if (ask_number(conn, heal, sync, limit_msec, err) < 0) {
		return -1;
	}
	*healed = ask_number(conn, "SELECT healed FROM bucardo.machine_syncs WHERE sync = $1",
			sync, limit_msec, err);
	if (*healed < 0) {
		return -1;
	}
	if (staging != NULL && bm_staging_tend(conn, sync, staging, limit_msec, err) != 0) {
		return -1;
	}
	return ask_number(conn, "COMMIT", NULL, limit_msec, err) < 0 ? -1 : 0;
}

int bm_lossless_tend(PGconn *conn, const char *sync, bool purge,
		const struct bm_staging_state *staging, uint64_t limit_msec, int64_t *healed,
		struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;

	*healed = 0;
	int64_t claimed = is_claimed(conn, sync, limit_msec, err);
	if (claimed <= 0) {
		return (int)claimed;
	}
	if (tend(conn, sync, purge, staging, limit_msec, healed, err) != 0) {
		ask_number(conn, "ROLLBACK", NULL, limit_msec, &ignored);
		return -1;
	}
	return 0;
}
