-- machine_heal - rows with a txntime that is marked as done get a fresh one. A KID that is under
-- way sees the old rows, all marked as done, or none of the mark: in either case the new txntime
-- is pending for the run after it. What another transaction is busy with waits for the next time.
CREATE OR REPLACE FUNCTION bucardo.machine_heal(my_sync text) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $machine$
DECLARE n record; done bigint := 0;
BEGIN
  FOR n IN SELECT d.deltaname, d.trackname, s.target,
      bucardo.machine_targets_of(d.deltaname) AS targets
    FROM bucardo.bucardo_delta_names d JOIN bucardo.machine_syncs s USING (sync)
    WHERE d.sync = my_sync AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL ORDER BY 1 LOOP
    BEGIN
      done := done + bucardo.machine_heal_table(n.deltaname, n.trackname,
        coalesce(n.targets, ARRAY[n.target]));
    EXCEPTION WHEN lock_not_available OR serialization_failure OR deadlock_detected THEN NULL;
    END;
  END LOOP;
  UPDATE bucardo.machine_syncs SET healed = healed + done WHERE sync = my_sync AND done > 0;
  RETURN done;
END $machine$
