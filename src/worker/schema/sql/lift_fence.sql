-- lift_fence - from now on the destination is the live side. Triggers that cannot be had now
-- stay, and refuse nothing. Event triggers of the application have no say in it, where the role
-- of the caller may set session_replication_role; nor can their refusal keep the fence up.
-- Refused while an older value would win by it (turn_obstacle), but by force.
CREATE OR REPLACE FUNCTION bucardo_machine.lift_fence(force boolean) RETURNS text
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $machine$
DECLARE t record; missed int := 0; said text;
  role_before text := current_setting('session_replication_role');
BEGIN
  said := bucardo_machine.change_sides(true, force, 'lift_fence(force => true)');
  BEGIN
    PERFORM set_config('session_replication_role', 'replica', true);
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END;
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
    EXCEPTION WHEN OTHERS THEN
      missed := missed + 1;
      EXIT WHEN missed >= 10;
    END;
  END LOOP;
  IF current_setting('session_replication_role') <> role_before THEN
    PERFORM set_config('session_replication_role', role_before, true);
  END IF;
  RETURN 'the fence is lifted' || said || CASE WHEN missed = 0 THEN '' ELSE '; some of its triggers are still there and refuse nothing, call this again to drop them' END;
END $machine$
