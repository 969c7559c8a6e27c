-- turn_obstacle - why an older value would win over a newer one if source and destination changed
-- places now; '' when none would. What waits on the side that becomes live was written before what
-- the other one has written since, and would go over it. The destination's own changes are counted
-- here; about the source each migration's worker answers the question of number my_number.
-- `lasts`: it does not go away by waiting.
CREATE OR REPLACE FUNCTION bucardo_machine.turn_obstacle(my_number bigint, is_alive boolean,
  OUT why text, OUT lasts boolean)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE f record; h record; names text;
BEGIN
  why := ''; lasts := false;
  SELECT x.lifted IS NOT NULL AS is_lifted, x.turn INTO f FROM bucardo_machine.fence x LIMIT 1;
  FOR h IN SELECT x.* FROM bucardo_machine.handover x ORDER BY x.migration LOOP
    IF NOT h.is_both AND f.is_lifted THEN
      why := format('direction of migration %s is forward: what was written here since the fence was lifted is not on the source, and what the source has changed would go over it', h.migration);
      lasts := true;
    ELSIF h.is_both AND NOT f.is_lifted THEN
      IF f.turn > 0 AND to_regprocedure('bucardo.machine_waiting(text)') IS NULL THEN
        why := 'schema bucardo is not here any more, and what was captured in it';
        lasts := true;
      ELSIF f.turn > 0 THEN
        SELECT string_agg(x.name, ', ') INTO names
          FROM (SELECT DISTINCT bucardo.machine_waiting(h.migration) AS name ORDER BY 1 LIMIT 5) x;
        IF names <> '' THEN
          why := format('changes that were written here before the fence was raised again are not on the source yet (%s)', names);
        END IF;
      END IF;
    ELSIF h.number IS NULL OR h.number < my_number OR h.turn <> f.turn OR my_number IS NULL THEN
      why := CASE WHEN is_alive THEN 'the machine did not say in time whether changes wait on the source'
        ELSE 'no machine is at work that would know whether changes wait on the source' END;
    ELSIF h.waits <> '' THEN
      why := format(CASE WHEN h.is_both
        THEN 'changes that were written to the source before the fence was lifted are not here yet (%s)'
        ELSE 'changes of the source are not here yet (%s), and with direction forward they would never come' END, h.waits);
    END IF;
    EXIT WHEN why <> '';
  END LOOP;
END $machine$
