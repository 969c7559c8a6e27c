-- machine_heal_table - rows with a txntime that one of the targets has marked as done, and that
-- belongs to several transactions, get a fresh one: they are pending again for all targets.
CREATE OR REPLACE FUNCTION bucardo.machine_heal_table(my_delta text, my_track text,
  my_targets text[]) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE fresh timestamptz; marked text; done bigint;
BEGIN
  SELECT string_agg(format('EXISTS (SELECT 1 FROM bucardo.%s t WHERE t.target = $2[%s]'
      ' AND t.txntime = d.txntime)', my_track, i), ' OR ') INTO marked
    FROM generate_subscripts(my_targets, 1) i;
  fresh := bucardo.machine_fresh_stamp(my_track);
  EXECUTE format('UPDATE bucardo.%1$s SET txntime = $1
        WHERE txntime IN (SELECT d.txntime FROM bucardo.%1$s d WHERE %2$s
        GROUP BY d.txntime HAVING min(d.xmin::text) <> max(d.xmin::text))', my_delta, marked)
    USING fresh, my_targets;
  GET DIAGNOSTICS done = ROW_COUNT;
  RETURN done;
END $machine$
