-- machine_guard - a sync of another Bucardo whose dbgroup has the name of one of ours would mark our
-- changes as done. machine_keep() has just seen that name in this transaction.
CREATE OR REPLACE FUNCTION bucardo.machine_guard() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE seen text := current_setting('bucardo_machine.seen_target', true);
BEGIN
  IF seen LIKE txid_current() || ' %' AND NOT EXISTS (SELECT 1 FROM bucardo.machine_syncs m
      WHERE m.sync = regexp_replace(NEW.sync, ' \(paused\)$', '')) THEN
    RAISE EXCEPTION 'sync % cannot use %: a migration on this database has that name',
      NEW.sync, split_part(seen, ' ', 3) USING HINT = 'Give its dbgroup another name.';
  END IF;
  RETURN NEW;
END $machine$
