-- machine_capture_renew - once it is written down which tables are captured, and which columns their keys have
-- (machine_know), the functions of their triggers get the guard that is made of that (machine_capture_guard), and
-- are known so. One that somebody replaced meanwhile is left to the watch.
CREATE OR REPLACE FUNCTION bucardo.machine_capture_renew() RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE n record;
BEGIN
  FOR n IN SELECT DISTINCT d.deltaname, m.tablename, m.state->>'body' AS was, md5(bucardo.machine_capture_body(d.deltaname)) AS code
    FROM bucardo.machine_captured m JOIN bucardo.bucardo_delta_names d ON d.sync = m.sync AND d.tablename = m.tablename
    JOIN pg_proc p ON p.oid = to_regprocedure(format('bucardo.%s()', d.deltaname)) AND md5(p.prosrc) = m.state->>'body' LOOP
    CONTINUE WHEN n.was = n.code OR n.code IS NULL;
    PERFORM bucardo.machine_capture_function(n.deltaname);
    UPDATE bucardo.machine_captured m SET state = jsonb_set(m.state, '{body}', to_jsonb(n.code))
      WHERE m.tablename = n.tablename AND m.state->>'body' = n.was;
  END LOOP;
END $machine$
