-- machine_keep - keeps tables of ours off the list that Bucardo's purge works from, whoever puts
-- them there and whenever (validate_sync() does so again each time): see machine_adopt(). A table
-- that becomes ours is taken off in the transaction that captures it.
CREATE OR REPLACE FUNCTION bucardo.machine_keep() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE name text := NEW.tablename::regclass::text; is_ours boolean;
BEGIN
  is_ours := EXISTS (SELECT 1 FROM bucardo.machine_syncs m WHERE m.target = NEW.target);
  PERFORM set_config('bucardo_machine.seen_target', txid_current() || ' ' || NEW.target, true)
    WHERE is_ours;
  IF NOT is_ours AND NOT EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names d
      JOIN bucardo.machine_syncs m ON m.sync = regexp_replace(d.sync, ' \(paused\)$', '')
      WHERE d.tablename = name) THEN
    RETURN NEW;
  END IF;
  INSERT INTO bucardo.machine_targets (tablename, target)
    SELECT name, x.target FROM (SELECT NEW.target UNION SELECT t.target
      FROM bucardo.bucardo_delta_targets t WHERE t.tablename = NEW.tablename) x
    WHERE NOT EXISTS (SELECT 1 FROM bucardo.machine_syncs m WHERE m.target = x.target)
    ON CONFLICT DO NOTHING;
  DELETE FROM bucardo.bucardo_delta_targets t WHERE t.tablename = NEW.tablename;
  RETURN NULL;
END $machine$
