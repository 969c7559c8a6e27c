-- machine_share - a run is about to write to this table, from which others take as well (another
-- migration, a sync made by hand): what it writes is a change for them. So the triggers capture it
-- to the end of the transaction or the next table, and it is marked as done for the run's own target,
-- where it came from. All changes of a transaction have one txntime, the default of the delta table.
CREATE OR REPLACE FUNCTION bucardo.machine_share(my_sync text, my_table text, my_target text)
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE n record;
BEGIN
  PERFORM set_config('bucardo_machine.shared', 'on', true);
  FOR n IN SELECT d.trackname, pg_get_expr(f.adbin, f.adrelid) AS stamp
    FROM bucardo.bucardo_delta_names d
    JOIN pg_attrdef f ON f.adrelid = to_regclass('bucardo.' || d.deltaname)
    JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attname = 'txntime'
    WHERE d.tablename = my_table AND d.sync IN (my_sync, my_sync || ' (paused)') LOOP
    EXECUTE format('INSERT INTO bucardo.%s (txntime, target) SELECT %s, $1', n.trackname, n.stamp)
      USING my_target;
  END LOOP;
END $machine$
