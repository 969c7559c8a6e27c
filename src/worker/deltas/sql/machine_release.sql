-- machine_release - a person says that a sync, or a target such as 'dbgroup dbg', is gone for good:
-- its changes are kept no longer. What it had not applied it never will. Tables that no sync of
-- ours uses any more go back to the list that Bucardo's purge works from. A migration of ours that
-- comes back nevertheless finds that it is stopped. Returns what was done.
CREATE OR REPLACE FUNCTION bucardo.machine_release(my_name text) RETURNS text
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE names bigint; targets bigint; moved bigint; touched bigint;
BEGIN
  UPDATE bucardo.machine_owners o SET stopped = 'its changes were released with machine_release():'
      ' what it had not applied then is gone' WHERE o.migration IN (SELECT r.migration
    FROM bucardo.machine_runs r JOIN bucardo.machine_syncs m USING (sync)
    WHERE my_name IN (m.sync, m.target));
  DELETE FROM bucardo.bucardo_delta_names d WHERE d.sync IN (my_name, my_name || ' (paused)')
    OR regexp_replace(d.sync, ' \(paused\)$', '')
      IN (SELECT m.sync FROM bucardo.machine_syncs m WHERE m.target = my_name);
  GET DIAGNOSTICS names = ROW_COUNT;
  DELETE FROM bucardo.machine_syncs m WHERE my_name IN (m.sync, m.target);
  GET DIAGNOSTICS touched = ROW_COUNT;
  /* Of a sync that is not ours the target is not known: it was the last one of its table. */
  DELETE FROM bucardo.machine_targets t WHERE t.target = my_name
    OR (touched = 0 AND names > 0 AND NOT EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names d
      WHERE d.tablename = t.tablename AND NOT EXISTS (SELECT 1 FROM bucardo.machine_syncs m
        WHERE m.sync = regexp_replace(d.sync, ' \(paused\)$', ''))));
  GET DIAGNOSTICS targets = ROW_COUNT;
  DELETE FROM bucardo.bucardo_delta_names d WHERE targets > 0
    AND NOT EXISTS (SELECT 1 FROM bucardo.machine_targets t WHERE t.tablename = d.tablename)
    AND NOT EXISTS (SELECT 1 FROM bucardo.machine_syncs m
      WHERE m.sync = regexp_replace(d.sync, ' \(paused\)$', ''))
    AND EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names o JOIN bucardo.machine_syncs m
      ON m.sync = regexp_replace(o.sync, ' \(paused\)$', '') WHERE o.tablename = d.tablename);
  WITH back AS (DELETE FROM bucardo.machine_targets t WHERE NOT EXISTS
      (SELECT 1 FROM bucardo.bucardo_delta_names d JOIN bucardo.machine_syncs m
        ON m.sync = regexp_replace(d.sync, ' \(paused\)$', '') WHERE d.tablename = t.tablename)
      RETURNING t.tablename, t.target)
    INSERT INTO bucardo.bucardo_delta_targets (tablename, target)
      SELECT to_regclass(b.tablename), b.target FROM back b
      WHERE to_regclass(b.tablename) IS NOT NULL;
  GET DIAGNOSTICS moved = ROW_COUNT;
  RETURN format('released %s: %s tables, %s syncs of ours, %s targets of others; %s given back to Bucardo''s purge',
    my_name, names, touched, targets, moved);
END $machine$
