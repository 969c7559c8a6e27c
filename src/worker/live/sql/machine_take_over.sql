-- machine_take_over - a person says that the owner is gone. Returns '', or since how many seconds it
-- was heard of when that is too short. Waits for a run of its that is under way.
CREATE OR REPLACE FUNCTION bucardo.machine_take_over(my_migration text, my_owner text, my_host text,
  my_silence interval) RETURNS text
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s' AS $machine$
DECLARE o record; silence interval;
BEGIN
  SELECT w.* INTO o FROM bucardo.machine_owners w WHERE w.migration = my_migration FOR UPDATE;
  IF NOT FOUND OR o.owner = my_owner THEN RETURN ''; END IF;
  SELECT clock_timestamp() - b.seen INTO silence FROM bucardo.machine_beats b
    WHERE b.migration = my_migration;
  IF silence < my_silence THEN RETURN round(extract(epoch FROM silence))::text; END IF;
  UPDATE bucardo.machine_owners w SET owner = my_owner, host = my_host, since = clock_timestamp()
    WHERE w.migration = my_migration;
  UPDATE bucardo.machine_beats b SET seen = clock_timestamp() WHERE b.migration = my_migration;
  RETURN '';
END $machine$
