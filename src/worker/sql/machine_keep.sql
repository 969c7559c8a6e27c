-- machine_keep - Bucardo purges the tables that this list of its names, once for all dbgroups.
CREATE OR REPLACE FUNCTION bucardo.machine_keep() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog AS $machine$
BEGIN
  IF EXISTS (SELECT 1 FROM bucardo.machine_syncs WHERE target = NEW.target) THEN
    RETURN NULL;
  END IF;
  RETURN NEW;
END $machine$
