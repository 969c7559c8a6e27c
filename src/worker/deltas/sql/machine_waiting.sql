-- machine_waiting - tables of a migration with changes of this side that the other one does not
-- have yet: rows, deferred rows and truncates, also where the table is paused. One that is gone
-- (machine_keys knows those that got another name) has none that could go over anything.
CREATE OR REPLACE FUNCTION bucardo.machine_waiting(my_migration text) RETURNS SETOF text
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_nestloop = off AS $machine$
DECLARE n record; waits boolean;
BEGIN
  RETURN QUERY SELECT DISTINCT quote_ident(t.sname) || '.' || quote_ident(t.tname)
    FROM bucardo.machine_runs r JOIN bucardo.bucardo_truncate_trigger t
    ON t.sync IN (r.sync, r.sync || ' (paused)')
    WHERE r.migration = my_migration AND t.replicated IS NULL
    AND EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = t.tablename);
  FOR n IN SELECT d.tablename, d.deltaname, d.trackname, m.target,
      regexp_replace(d.deltaname, '^("?)delta_', '\1mpark_') AS deferred
    FROM bucardo.machine_runs r JOIN bucardo.machine_syncs m ON m.sync = r.sync
    JOIN bucardo.bucardo_delta_names d ON d.sync IN (m.sync, m.sync || ' (paused)')
    WHERE r.migration = my_migration AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL
    AND (to_regclass(d.tablename) IS NOT NULL OR EXISTS (SELECT 1 FROM bucardo.machine_keys k
      JOIN pg_class c ON c.oid = k.relation WHERE k.name = d.tablename)) ORDER BY 1 LOOP
    waits := false;
    IF to_regclass('bucardo.' || n.deferred) IS NOT NULL THEN
      EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%s)', n.deferred) INTO waits;
    END IF;
    IF NOT waits THEN
      EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%1$s d
            WHERE NOT EXISTS (SELECT 1 FROM bucardo.%2$s t
            WHERE t.txntime = d.txntime AND t.target = $1)
            AND NOT EXISTS (SELECT 1 FROM bucardo.%2$s t
            WHERE t.txntime = d.txntime AND t.target ~ ''^T:''))',
        n.deltaname, n.trackname) INTO waits USING n.target;
    END IF;
    IF waits THEN RETURN NEXT n.tablename; END IF;
  END LOOP;
END $machine$
