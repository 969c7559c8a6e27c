-- raise_fence
CREATE OR REPLACE FUNCTION bucardo_machine.raise_fence(again boolean DEFAULT false) RETURNS text
  LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '500ms' AS $machine$
DECLARE t record; done bigint := 0; failed text := '';
BEGIN
  IF again THEN
    UPDATE bucardo_machine.fence SET lifted = NULL, lifted_by = NULL;
  END IF;
  IF EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NOT NULL) THEN
    RETURN 'the fence was lifted; SELECT bucardo_machine.raise_fence(true) raises it again';
  END IF;
  FOR t IN SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
      AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
        AND d.objid = c.oid AND d.deptype = 'e')
      AND NOT EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgrelid = c.oid
        AND g.tgname = 'bucardo_machine_fence')
      ORDER BY 1 LOOP
    BEGIN
      EXECUTE 'CREATE TRIGGER bucardo_machine_fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON '
        || t.name || ' FOR EACH STATEMENT EXECUTE PROCEDURE bucardo_machine.refuse_write()';
      done := done + 1;
    EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_table THEN
      failed := failed || ', ' || t.name || ' (' || SQLERRM || ')';
    END;
  END LOOP;
  RETURN format('the fence stands, %s tables are new behind it', done)
    || CASE WHEN failed = '' THEN '' ELSE '; not behind it: ' || substr(failed, 3) END;
END $machine$
