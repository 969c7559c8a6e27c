-- machine_purge - deltas that every target of their table has marked as done, then marks without
-- deltas. To be called in a REPEATABLE READ transaction: what another transaction adds with an
-- old txntime after the snapshot stays, and its track row is gone then, so it is pending. A table
-- that could not be requeued, because somebody is busy with it, is not purged either; nor is anything of a
-- migration that is stopped (identity.h), nor while two snapshots are taken to compare both sides
-- (purge_lock.h has the number).
CREATE OR REPLACE FUNCTION bucardo.machine_purge(my_sync text, my_limit int) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET lock_timeout = '200ms' AS $machine$
DECLARE n record; marked text; touched bigint; requeued_rows bigint := 0; done bigint := 0;
BEGIN
  IF current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable') THEN
    RAISE EXCEPTION 'machine_purge() needs a transaction of isolation level repeatable read';
  END IF;
  IF NOT pg_try_advisory_xact_lock_shared(7092455166261683833) THEN RETURN 0; END IF;
  IF EXISTS (SELECT 1 FROM bucardo.machine_runs r JOIN bucardo.machine_owners o USING (migration)
      WHERE r.sync = my_sync AND o.stopped <> '') THEN
    RETURN 0;
  END IF;
  BEGIN
    PERFORM bucardo.machine_adopt();
  EXCEPTION WHEN lock_not_available OR serialization_failure OR deadlock_detected THEN NULL;
  END;
  FOR n IN SELECT d.deltaname, d.trackname, bucardo.machine_targets_of(d.deltaname) AS targets
    FROM bucardo.bucardo_delta_names d JOIN bucardo.machine_syncs s USING (sync)
    WHERE d.sync = my_sync AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL ORDER BY 1 LOOP
    CONTINUE WHEN n.targets IS NULL;
    BEGIN
      touched := bucardo.machine_heal_table(n.deltaname, n.trackname, n.targets);
      requeued_rows := requeued_rows + touched;
      SELECT string_agg(format('EXISTS (SELECT 1 FROM bucardo.%s t WHERE t.target = $1[%s]'
          ' AND t.txntime = d.txntime)', n.trackname, i), ' AND ') INTO marked
        FROM generate_subscripts(n.targets, 1) i;
      done := done + bucardo.machine_fold(n.deltaname, marked, n.targets, my_limit);
      EXECUTE format('DELETE FROM bucardo.%1$s t WHERE NOT EXISTS (SELECT 1 FROM bucardo.%2$s d
            WHERE d.txntime = t.txntime)', n.trackname, n.deltaname);
    EXCEPTION WHEN lock_not_available OR serialization_failure OR deadlock_detected THEN NULL;
    END;
  END LOOP;
  UPDATE bucardo.machine_syncs SET healed = healed + requeued_rows
    WHERE sync = my_sync AND requeued_rows > 0;
  RETURN done;
END $machine$
