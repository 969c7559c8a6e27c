-- machine_stage - $1 rows stay in the delta tables, those that came first; the rest is deferred.
-- The usual case costs a look at the sizes of files: a row takes 40 bytes or more.
CREATE OR REPLACE FUNCTION bucardo.machine_stage(my_sync text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE n record; rows_limit bigint; mark text; bytes bigint; deferred boolean; room bigint;
  waiting bigint;
BEGIN
  SELECT m.stage_rows, m.target INTO rows_limit, mark FROM bucardo.machine_syncs m
    WHERE m.sync = my_sync;
  SELECT coalesce(sum(pg_relation_size(to_regclass('bucardo.' || d.deltaname))), 0), coalesce(bool_or(
      to_regclass('bucardo.' || regexp_replace(d.deltaname, '^("?)delta_', '\1mpark_')) IS NOT NULL), false)
    INTO bytes, deferred FROM bucardo.bucardo_delta_names d WHERE d.sync = my_sync;
  IF coalesce(rows_limit, 0) = 0 THEN
    IF deferred THEN PERFORM bucardo.machine_unpark(my_sync, 9223372036854775807); END IF;
    RETURN;
  END IF;
  IF NOT deferred AND bytes < rows_limit * 40 THEN RETURN; END IF;
  room := rows_limit;
  FOR n IN SELECT DISTINCT d.deltaname, d.trackname,
regexp_replace(d.deltaname, '^("?)delta_', '\1mpark_') AS deferred
    FROM bucardo.bucardo_delta_names d WHERE d.sync = my_sync
    AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names o
      WHERE o.deltaname = d.deltaname AND o.sync <> my_sync) ORDER BY 1 LOOP
    EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM bucardo.%s d
          WHERE NOT EXISTS (SELECT 1 FROM bucardo.%s t
          WHERE t.txntime = d.txntime AND t.target = $1) LIMIT $2) x',
      n.deltaname, n.trackname) INTO waiting USING mark, room + 1;
    IF waiting <= room THEN room := room - waiting; CONTINUE; END IF;
    IF to_regclass('bucardo.' || n.deferred) IS NULL THEN
      EXECUTE format('CREATE TABLE bucardo.%s (LIKE bucardo.%s)', n.deferred, n.deltaname);
      EXECUTE format('ALTER TABLE bucardo.%s REPLICA IDENTITY FULL', n.deferred);
    END IF;
    EXECUTE format('WITH gone AS (DELETE FROM bucardo.%1$s d
          USING (SELECT x.ctid FROM bucardo.%1$s x
          WHERE NOT EXISTS (SELECT 1 FROM bucardo.%2$s t
          WHERE t.txntime = x.txntime AND t.target = $1) OFFSET $2) s WHERE d.ctid = s.ctid
          RETURNING d.*) INSERT INTO bucardo.%3$s SELECT * FROM gone',
      n.deltaname, n.trackname, n.deferred) USING mark, room;
    room := 0;
  END LOOP;
  IF deferred AND room > 0 THEN PERFORM bucardo.machine_unpark(my_sync, room); END IF;
END $machine$
