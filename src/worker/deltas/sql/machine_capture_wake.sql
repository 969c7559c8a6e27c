-- machine_capture_wake - the trigger of machine_capture_quiet() fires always from now on. It waits so
-- long that the server ends an autovacuum for it: behind the fence nobody writes. What is
-- written down of the trigger is renewed where it was true; where it was not, `worker reconcile` finds out.
CREATE OR REPLACE FUNCTION bucardo.machine_capture_wake(my_relation oid) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE seen text; woken text;
BEGIN
  PERFORM set_config('lock_timeout', (setting::bigint + 1000) || 'ms', true) FROM pg_settings
    WHERE name = 'deadlock_timeout';
  EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', my_relation::regclass);
  SELECT concat_ws(' ', oid, xmin, tgenabled) INTO seen FROM pg_trigger
    WHERE tgrelid = my_relation AND tgname = 'bucardo_delta' AND tgenabled = 'O';
  IF seen IS NULL THEN RETURN; END IF;
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER bucardo_delta', my_relation::regclass);
  SELECT concat_ws(' ', oid, xmin, tgenabled) INTO woken FROM pg_trigger
    WHERE tgrelid = my_relation AND tgname = 'bucardo_delta';
  UPDATE bucardo.machine_captured SET state = jsonb_set(state, '{row}', to_jsonb(woken))
    WHERE state->>'row' = seen;
END $machine$
