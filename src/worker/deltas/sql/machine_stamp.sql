-- machine_stamp - a table that was made anew, by an older machine or by a person, has the
-- stock txntime.
-- The txntime: real time to the millisecond; the rest tells transactions apart.
CREATE OR REPLACE FUNCTION bucardo.machine_stamp(my_sync text) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $machine$
DECLARE n record; done bigint := 0;
BEGIN
  FOR n IN SELECT d.deltaname FROM bucardo.bucardo_delta_names d
    JOIN pg_attribute a ON a.attrelid = to_regclass('bucardo.' || d.deltaname)
      AND a.attname = 'txntime'
    LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
    WHERE d.sync = my_sync
    AND coalesce(pg_get_expr(f.adbin, f.adrelid), '') NOT LIKE '%txid_current()%' LOOP
    BEGIN
      EXECUTE 'ALTER TABLE bucardo.' || n.deltaname || ' ALTER txntime SET DEFAULT ' ||
        $stamp$(pg_catalog.date_trunc('milliseconds', pg_catalog.now()) + (pg_catalog.txid_current() % 1000) * interval '1 microsecond')$stamp$;
      done := done + 1;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
  END LOOP;
  RETURN done;
END $machine$
