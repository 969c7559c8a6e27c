-- raise_fence - a statement trigger on each table, that fires in replica role too. A subscription
-- fires triggers of rows only: its tables get one as well. With `again` the source is the live
-- side from now on; refused while an older value would win by it (turn_obstacle), but by force.
-- Event triggers of the application have no say in it, as in lift_fence().
CREATE OR REPLACE FUNCTION bucardo_machine.raise_fence(again boolean, force boolean) RETURNS text
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $machine$
DECLARE t record; done bigint := 0; failed text := ''; said text := '';
  role_before text := current_setting('session_replication_role');
BEGIN
  IF again THEN
    said := bucardo_machine.change_sides(false, force, 'raise_fence(true, force => true)');
  END IF;
  IF EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NOT NULL) THEN
    RETURN 'the fence was lifted; SELECT bucardo_machine.raise_fence(true) raises it again';
  END IF;
  BEGIN
    PERFORM set_config('session_replication_role', 'replica', true);
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END;
  FOR t IN SELECT x.name, x.enabled, x.rows_enabled, x.is_fed FROM (
      SELECT format('%I.%I', n.nspname, c.relname) AS name,
        c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_subscription_rel s WHERE s.srrelid = c.oid) AS is_fed,
        coalesce((SELECT g.tgenabled::text FROM pg_trigger g WHERE g.tgrelid = c.oid
          AND g.tgname = 'bucardo_machine_fence'), '') AS enabled,
        coalesce((SELECT g.tgenabled::text FROM pg_trigger g WHERE g.tgrelid = c.oid
          AND g.tgname = 'bucardo_machine_fence_rows'), '') AS rows_enabled
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
      AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
        AND d.objid = c.oid AND d.deptype = 'e')) x
      WHERE x.enabled <> 'A' OR (x.is_fed AND x.rows_enabled <> 'A') ORDER BY 1 LOOP
    BEGIN
      IF t.enabled = '' THEN
        EXECUTE 'CREATE TRIGGER bucardo_machine_fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON '
          || t.name || ' FOR EACH STATEMENT EXECUTE PROCEDURE bucardo_machine.refuse_write()';
      END IF;
      IF t.enabled <> 'A' THEN
        EXECUTE 'ALTER TABLE ' || t.name || ' ENABLE ALWAYS TRIGGER bucardo_machine_fence';
      END IF;
      IF t.is_fed AND t.rows_enabled = '' THEN
        EXECUTE 'CREATE TRIGGER bucardo_machine_fence_rows AFTER INSERT OR UPDATE OR DELETE ON '
          || t.name || ' FOR EACH ROW EXECUTE PROCEDURE bucardo_machine.refuse_write()';
      END IF;
      IF t.is_fed AND t.rows_enabled <> 'A' THEN
        EXECUTE 'ALTER TABLE ' || t.name || ' ENABLE ALWAYS TRIGGER bucardo_machine_fence_rows';
      END IF;
      done := done + (t.enabled = '')::int;
    EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_table THEN
      failed := failed || ', ' || t.name || ' (' || SQLERRM || ')';
    END;
  END LOOP;
  IF current_setting('session_replication_role') <> role_before THEN
    PERFORM set_config('session_replication_role', role_before, true);
  END IF;
  RETURN format('the fence stands, %s did not have it before', CASE done WHEN 1 THEN '1 table' ELSE done || ' tables' END) || said
    || CASE WHEN failed = '' THEN '' ELSE '; not behind it: ' || substr(failed, 3) END;
END $machine$
