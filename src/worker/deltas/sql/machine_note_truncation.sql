-- machine_note_truncation - a TRUNCATE is noted for the sync that the trigger names. What waits of
-- the table stays: a run that empties the table elsewhere looks those keys up, finds the rows that
-- were written later, and of the others none. To truncate the delta table, as Bucardo does, would
-- let the application wait for a run that reads it, each hold what the other needs, and all runs
-- wait for the end of its transaction. A table that was renamed since, and whose delta table did
-- not follow yet, is known by its oid (machine_keys). One that has none is none of ours, and must
-- not fail.
CREATE OR REPLACE FUNCTION bucardo.machine_note_truncation() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE base text := bucardo.machine_capture_base(TG_TABLE_SCHEMA, TG_TABLE_NAME); known text;
BEGIN
  IF current_setting('bucardo_machine.applying', true) = 'on'
    AND current_setting('session_replication_role') = 'replica' THEN
    RETURN NULL;
  END IF;
  IF to_regclass(format('bucardo.%I', 'delta_' || base)) IS NULL THEN
    SELECT k.name INTO known FROM bucardo.machine_keys k WHERE k.relation = TG_RELID;
    IF known IS NOT NULL THEN
      base := bucardo.machine_capture_base((parse_ident(known))[1], (parse_ident(known))[2]);
    END IF;
  END IF;
  IF to_regclass(format('bucardo.%I', 'delta_' || base)) IS NOT NULL THEN
    INSERT INTO bucardo.bucardo_truncate_trigger (tablename, sname, tname, sync)
      VALUES (TG_RELID, TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0]);
  END IF;
  RETURN NULL;
END $machine$
