-- machine_fresh_stamp - a txntime that no track row has: what gets it is pending.
CREATE OR REPLACE FUNCTION bucardo.machine_fresh_stamp(my_track text) RETURNS timestamptz
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE fresh timestamptz := clock_timestamp(); taken boolean;
BEGIN
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%s WHERE txntime = $1)', my_track)
      INTO taken USING fresh;
    IF NOT taken THEN RETURN fresh; END IF;
    fresh := fresh + interval '1 microsecond';
  END LOOP;
END $machine$
