-- machine_pin - no function of this schema that runs with the rights of its owner depends on the
-- search_path of its caller: those that Bucardo makes for each table get the body of ours, all
-- others a path of their own. Ours are known by what they begin with: a column of a key may be called so. Bucardo makes no function again whose text it finds. Returns how
-- many were changed. Of Bucardo's control database, which has functions of another kind, only
-- those of a source. What a person may not change, because it is another role's, is left alone.
CREATE OR REPLACE FUNCTION bucardo.machine_pin() RETURNS integer
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE f record; done integer := 0;
BEGIN
  FOR f IN SELECT p.oid::regprocedure::text AS signature, quote_ident(p.proname) AS delta,
      p.proname LIKE 'delta\_%' AND p.prorettype = 'trigger'::regtype AND p.prosrc LIKE
        '%INSERT INTO bucardo.' || quote_ident(p.proname) || ' VALUES (OLD."%' AS is_stock
      FROM pg_proc p WHERE p.pronamespace = 'bucardo'::regnamespace AND p.prosecdef
      AND p.prosrc !~ '^\s*BEGIN /\* bucardo-machine: no name here depends on search_path'
      AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)
      AND pg_has_role(p.proowner, 'USAGE') AND (to_regclass('bucardo.goat') IS NULL
        OR p.proname ~ '^(delta_|bucardo_(tablename_maker|delta_|note_truncation|compress_|purge_))') LOOP
    IF f.is_stock AND bucardo.machine_capture_body(f.delta) IS NOT NULL THEN
      PERFORM bucardo.machine_capture_function(f.delta);
    ELSE
      EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', f.signature);
    END IF;
    done := done + 1;
  END LOOP;
  RETURN done;
END $machine$
