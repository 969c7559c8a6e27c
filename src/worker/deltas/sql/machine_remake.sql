-- machine_remake - the function of a table's trigger, made anew from the columns of its delta
-- table: in any case, so that sessions that have fired it look at all types again.
CREATE OR REPLACE FUNCTION bucardo.machine_remake(my_delta text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
BEGIN
  PERFORM bucardo.machine_capture_function(my_delta);
  EXECUTE format('ALTER FUNCTION bucardo.%s() VOLATILE', my_delta);
END $machine$
