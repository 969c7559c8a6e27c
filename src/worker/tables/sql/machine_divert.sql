-- machine_divert - a run marks all truncates of its sync as done, those of tables too that it
-- does not apply: they get the name of the paused sync.
CREATE OR REPLACE FUNCTION bucardo.machine_divert() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
BEGIN
  IF EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names WHERE sync = NEW.sync || ' (paused)'
    AND (tablename = quote_ident(NEW.sname) || '.' || quote_ident(NEW.tname)
      OR tablename IN (SELECT name FROM bucardo.machine_keys WHERE relation = NEW.tablename))) THEN
    NEW.sync := NEW.sync || ' (paused)';
  END IF;
  RETURN NEW;
END $machine$
