-- machine_capture_quiet - a table whose rows are still to be copied, captured as
-- machine_capture_one() has it; but its trigger for rows is an ordinary one, which does not fire in replica
-- role: the copy then neither calls it nor queues an event for each row, which took longer than the
-- copy itself. Only behind a fence, which refuses everybody else in replica role too, and where no
-- other sync takes from the table. machine_capture_wake() makes it fire always.
CREATE OR REPLACE FUNCTION bucardo.machine_capture_quiet(my_sync text, my_schema text, my_name text)
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $machine$
DECLARE
  my_table text := quote_ident(my_schema) || '.' || quote_ident(my_name);
  relation oid := to_regclass(my_table);
BEGIN
  PERFORM bucardo.machine_capture_one(my_sync, my_schema, my_name, NULL);
  IF to_regclass('bucardo_machine.fence') IS NULL
    OR EXISTS (SELECT 1 FROM bucardo.machine_captured WHERE tablename = my_table AND sync <> my_sync)
    OR NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = relation
      AND tgname = 'bucardo_machine_fence' AND tgenabled = 'A')
    OR NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = relation
      AND tgname = 'bucardo_delta' AND tgenabled = 'A') THEN
    RETURN;
  END IF;
  IF EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NOT NULL) THEN RETURN; END IF;
  EXECUTE format('ALTER TABLE %s ENABLE TRIGGER bucardo_delta', my_table);
  UPDATE bucardo.machine_captured m SET state = bucardo.machine_capture_look(m.sync, m.tablename,
      quote_ident('delta_' || bucardo.machine_capture_base(my_schema, my_name)))
    WHERE m.sync = my_sync AND m.tablename = my_table;
END $machine$
