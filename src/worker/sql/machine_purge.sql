-- machine_purge - to be called in a REPEATABLE READ transaction: what another transaction adds
-- with an old stamp after the snapshot stays, and its track row is gone then, so it is
-- pending. A table that a sync of somebody else uses too is left to Bucardo.
CREATE OR REPLACE FUNCTION bucardo.machine_purge(my_sync text, my_limit int) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '200ms' AS $machine$
DECLARE n record; touched bigint; done bigint := 0;
BEGIN
  IF current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable') THEN
    RAISE EXCEPTION 'machine_purge() needs a transaction of isolation level repeatable read';
  END IF;
  PERFORM bucardo.machine_heal(my_sync);
  FOR n IN SELECT d.deltaname, d.trackname, s.target FROM bucardo.bucardo_delta_names d
    JOIN bucardo.machine_syncs s USING (sync) WHERE d.sync = my_sync
    AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names o
      WHERE o.deltaname = d.deltaname AND o.sync <> my_sync) ORDER BY 1 LOOP
    BEGIN
      EXECUTE format('DELETE FROM bucardo.%s
            WHERE ctid = ANY (ARRAY(SELECT d.ctid FROM bucardo.%s d
            WHERE EXISTS (SELECT 1 FROM bucardo.%s t
            WHERE t.target = $1 AND t.txntime = d.txntime) LIMIT $2))', n.deltaname, n.deltaname, n.trackname)
        USING n.target, my_limit;
      GET DIAGNOSTICS touched = ROW_COUNT;
      done := done + touched;
      EXECUTE format('DELETE FROM bucardo.%s t WHERE t.target = $1
            AND NOT EXISTS (SELECT 1 FROM bucardo.%s d
            WHERE d.txntime = t.txntime)', n.trackname, n.deltaname) USING n.target;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
  END LOOP;
  RETURN done;
END $machine$
