-- machine_unpark - bring back up to `my_room` rows that are deferred, with a txntime that is not
-- marked as done.
CREATE OR REPLACE FUNCTION bucardo.machine_unpark(my_sync text, my_room bigint) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE n record; touched bigint; done bigint := 0;
BEGIN
  FOR n IN SELECT d.deltaname, d.trackname, x.deferred, (SELECT string_agg(quote_ident(a.attname), ', ')
      FROM pg_attribute a WHERE a.attrelid = to_regclass('bucardo.' || x.deferred) AND a.attnum > 0
      AND NOT a.attisdropped AND a.attname <> 'txntime') AS keys
    FROM (SELECT DISTINCT deltaname, trackname FROM bucardo.bucardo_delta_names
      WHERE sync = my_sync) d,
    LATERAL (SELECT regexp_replace(d.deltaname, '^("?)delta_', '\1mpark_') AS deferred) x
    WHERE to_regclass('bucardo.' || x.deferred) IS NOT NULL ORDER BY 1 LOOP
    EXIT WHEN done >= my_room;
    EXECUTE format('WITH back AS (DELETE FROM bucardo.%1$s p
          USING (SELECT ctid FROM bucardo.%1$s LIMIT $1) s WHERE p.ctid = s.ctid RETURNING p.*)
          INSERT INTO bucardo.%2$s (%3$s, txntime)
          SELECT DISTINCT %3$s, $2 FROM back', n.deferred, n.deltaname, n.keys)
      USING my_room - done, bucardo.machine_fresh_stamp(n.trackname);
    GET DIAGNOSTICS touched = ROW_COUNT;
    done := done + touched;
  END LOOP;
  RETURN done;
END $machine$
