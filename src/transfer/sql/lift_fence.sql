-- lift_fence - from now on the destination is the live side. Triggers that cannot be had now
-- stay, and refuse nothing.
CREATE OR REPLACE FUNCTION bucardo_machine.lift_fence() RETURNS text
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $machine$
DECLARE t record; missed int := 0; said text := '';
BEGIN
  IF EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NULL) THEN
    said := bucardo_machine.hand_over();
    PERFORM bucardo_machine.take_side();
    UPDATE bucardo_machine.fence SET lifted = now(), lifted_by = session_user, turn = turn + 1
      WHERE lifted IS NULL;
  END IF;
  FOR t IN SELECT format('%I.%I', n.nspname, c.relname) AS name, g.tgname FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_trigger g ON g.tgrelid = c.oid
      AND g.tgname IN ('bucardo_machine_fence', 'bucardo_machine_fence_rows')
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
      AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
        AND d.objid = c.oid AND d.deptype = 'e')
      ORDER BY 1, 2 LOOP
    BEGIN
      EXECUTE 'DROP TRIGGER ' || t.tgname || ' ON ' || t.name;
    EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_object THEN
      missed := missed + 1;
      EXIT WHEN missed >= 10;
    END;
  END LOOP;
  RETURN 'the fence is lifted' || said || CASE WHEN missed = 0 THEN '' ELSE '; some of its triggers are still there and refuse nothing, call this again to drop them' END;
END $machine$
