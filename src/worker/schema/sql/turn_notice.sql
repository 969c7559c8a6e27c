-- turn_notice - tables with changes that are on their way from the side that was live; they arrive
-- later, but for rows that applications have changed there by then. NULL: none, or nobody knows.
CREATE OR REPLACE FUNCTION bucardo_machine.turn_notice(my_number bigint) RETURNS text
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE names text;
BEGIN
  IF EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NULL) THEN
    SELECT string_agg(h.waits, ', ') INTO names FROM bucardo_machine.handover h
      WHERE h.is_both AND h.number >= my_number AND h.waits <> '';
  ELSIF to_regprocedure('bucardo.machine_waiting(text)') IS NOT NULL THEN
    SELECT string_agg(x.name, ', ') INTO names FROM (SELECT DISTINCT bucardo.machine_waiting(h.migration) AS name
      FROM bucardo_machine.handover h WHERE h.is_both ORDER BY 1 LIMIT 5) x;
  END IF;
  RETURN names;
END $machine$
