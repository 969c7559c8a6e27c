-- machine_heal - rows with a stamp that is marked as done get a fresh one. A KID that is under
-- way sees the old rows, all marked as done, or none of the mark: in either case the new stamp
-- is pending for the run after it.
CREATE OR REPLACE FUNCTION bucardo.machine_heal(my_sync text) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '200ms' AS $machine$
DECLARE n record; fresh timestamptz; touched bigint; done bigint := 0;
BEGIN
  FOR n IN SELECT DISTINCT d.deltaname, d.trackname, s.target FROM bucardo.bucardo_delta_names d
    JOIN bucardo.machine_syncs s USING (sync) WHERE d.sync = my_sync
    AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL ORDER BY 1 LOOP
    BEGIN
      fresh := bucardo.machine_fresh_stamp(n.trackname);
      EXECUTE format('UPDATE bucardo.%s SET txntime = $1
            WHERE txntime IN (SELECT d.txntime FROM bucardo.%s d
            WHERE EXISTS (SELECT 1 FROM bucardo.%s t
            WHERE t.target = $2 AND t.txntime = d.txntime)
            GROUP BY d.txntime HAVING min(d.xmin::text) <> max(d.xmin::text))',
        n.deltaname, n.deltaname, n.trackname) USING fresh, n.target;
      GET DIAGNOSTICS touched = ROW_COUNT;
      done := done + touched;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
  END LOOP;
  UPDATE bucardo.machine_syncs SET healed = healed + done WHERE sync = my_sync AND done > 0;
  RETURN done;
END $machine$
