-- machine_capture_function - the function that the trigger of a table calls, made from the
-- columns of its delta table, of the same name; nothing where it is right already.
CREATE OR REPLACE FUNCTION bucardo.machine_capture_function(my_delta text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE code text := bucardo.machine_capture_body(my_delta);
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_proc WHERE oid = to_regprocedure(format('bucardo.%s()', my_delta))
      AND prosrc = code AND prosecdef AND proconfig IS NULL) THEN
    EXECUTE format('CREATE OR REPLACE FUNCTION bucardo.%s() RETURNS trigger LANGUAGE plpgsql
      VOLATILE SECURITY DEFINER AS %L', my_delta, code);
  END IF;
END $machine$
