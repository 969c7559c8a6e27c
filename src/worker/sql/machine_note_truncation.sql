-- machine_note_truncation - a TRUNCATE is noted for the sync that the trigger names, and what
-- waits of the table is void. A table that was renamed since, and whose delta table did not follow
-- yet, is known by its oid (machine_keys). One that has none is none of ours, and must not fail.
CREATE OR REPLACE FUNCTION bucardo.machine_note_truncation() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE base text := bucardo.machine_capture_base(TG_TABLE_SCHEMA, TG_TABLE_NAME); part text;
  known text;
BEGIN
  IF to_regclass(format('bucardo.%I', 'delta_' || base)) IS NULL THEN
    SELECT k.name INTO known FROM bucardo.machine_keys k WHERE k.relation = TG_RELID;
    IF known IS NOT NULL THEN
      base := bucardo.machine_capture_base((parse_ident(known))[1], (parse_ident(known))[2]);
    END IF;
  END IF;
  IF to_regclass(format('bucardo.%I', 'delta_' || base)) IS NULL THEN
    RETURN NULL;
  END IF;
  INSERT INTO bucardo.bucardo_truncate_trigger (tablename, sname, tname, sync)
    VALUES (TG_RELID, TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0]);
  FOREACH part IN ARRAY ARRAY['delta_', 'track_', 'stage_', 'mpark_'] LOOP
    IF to_regclass(format('bucardo.%I', part || base)) IS NOT NULL THEN
      EXECUTE format('TRUNCATE TABLE bucardo.%I', part || base);
    END IF;
  END LOOP;
  RETURN NULL;
END $machine$
