-- machine_delta_check - Bucardo's bucardo_delta_check(), which tables have changes that wait,
-- in other words: that one asks for a mark of this target OR of another kind, finds no index
-- for it, and compares each change that was applied with each mark. 25,000 took it 25 s.
CREATE OR REPLACE FUNCTION bucardo.machine_delta_check(my_sync text, my_target text)
  RETURNS SETOF text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_nestloop = off AS $machine$
DECLARE n record; waits boolean;
BEGIN
  FOR n IN SELECT * FROM bucardo.bucardo_delta_names WHERE sync = my_sync ORDER BY tablename LOOP
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%1$s d
          WHERE NOT EXISTS (SELECT 1 FROM bucardo.%2$s t
          WHERE t.txntime = d.txntime AND t.target = $1)
          AND NOT EXISTS (SELECT 1 FROM bucardo.%2$s t
          WHERE t.txntime = d.txntime AND t.target ~ ''^T:''))',
      n.deltaname, n.trackname) INTO waits USING my_target;
    RETURN NEXT CASE WHEN waits THEN '1,' ELSE '0,' END || n.tablename;
  END LOOP;
END $machine$
