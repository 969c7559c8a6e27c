-- hand_over - before source and destination change places: lets `worker tend` set the sequences
-- of the side that becomes live once more, and waits for it. '' when that was done or nothing is
-- to be done, else what to tell. A transaction shows others nothing before it commits, so both
-- talk through sequences; the worker holds an advisory lock for as long as it lives.
CREATE OR REPLACE FUNCTION bucardo_machine.hand_over() RETURNS text
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE mine bigint; done bigint; alive boolean; until timestamptz := clock_timestamp() + interval '20 s';
BEGIN
  IF to_regclass('bucardo_machine.sequence') IS NULL THEN
    RETURN CASE WHEN EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\_%'
        AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine'))
      THEN '; no machine has set its sequences yet: compare them with those of the other side before applications write'
      ELSE '' END;
  END IF;
  LOOP
    SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid = 1651860321 AND objid = 2 AND objsubid = 2) INTO alive;
    EXIT WHEN NOT alive OR clock_timestamp() >= until;
    IF mine IS NULL THEN mine := nextval('bucardo_machine.handover_asked'); END IF;
    SELECT last_value INTO done FROM bucardo_machine.handover_answered;
    IF done >= mine THEN RETURN ''; END IF;
    PERFORM pg_sleep(0.05);
  END LOOP;
  RETURN CASE WHEN alive THEN '; the machine did not set the sequences once more within 20 s'
    ELSE '; no machine is at work that would set the sequences once more' END
    || ': compare them with those of the other side before applications write';
END $machine$
