-- lift_fence - triggers that cannot be had now stay, and refuse nothing.
CREATE OR REPLACE FUNCTION bucardo_machine.lift_fence() RETURNS text
  LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '100ms' AS $machine$
DECLARE t record; missed int := 0;
BEGIN
  UPDATE bucardo_machine.fence SET lifted = coalesce(lifted, now()),
    lifted_by = coalesce(lifted_by, session_user);
  FOR t IN SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
      AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
        AND d.objid = c.oid AND d.deptype = 'e')
      AND EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgrelid = c.oid
        AND g.tgname = 'bucardo_machine_fence')
      ORDER BY 1 LOOP
    BEGIN
      EXECUTE 'DROP TRIGGER bucardo_machine_fence ON ' || t.name;
    EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_object THEN
      missed := missed + 1;
      EXIT WHEN missed >= 10;
    END;
  END LOOP;
  RETURN 'the fence is lifted' || CASE WHEN missed = 0 THEN '' ELSE '; some of its triggers are still there and refuse nothing, call this again to drop them' END;
END $machine$
