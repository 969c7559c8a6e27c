-- machine_capture_watch - tables of these syncs (or one of them alone) that are not captured as it is written down. `gap`:
-- why rows may have changed unseen since; '' they did not, and only something of ours is to be
-- renewed (an older machine made it, a key column got another name, its trigger for rows does not
-- fire always and may). A rewrite of all rows by ALTER TABLE is no change to any trigger: it shows in
-- the table's file and in its columns together;
-- nor is a column that is another one now, or new with a value for all rows (machine_capture_values),
-- nor a label of an enum, or a part of a composite, that has another's place. A label that has gone is remembered, for it may come
-- back in another place.
CREATE OR REPLACE FUNCTION bucardo.machine_capture_watch(my_syncs json, my_only text DEFAULT NULL)
  RETURNS TABLE (sync text, tablename text, table_schema text, table_name text, gap text)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE n record; was jsonb; seen jsonb; moved jsonb; now_rows jsonb;
BEGIN
  INSERT INTO bucardo.machine_unlogged DEFAULT VALUES ON CONFLICT DO NOTHING;
  FOR n IN SELECT DISTINCT x.sync, d.tablename, d.deltaname, s.nspname, c.relname, c.oid,
      pg_has_role(c.relowner, 'USAGE') AS is_owner,
      md5(bucardo.machine_capture_body(d.deltaname)) AS code, bucardo.machine_capture_rows(c.oid) AS rows
    FROM bucardo.bucardo_delta_names d
    JOIN json_array_elements_text(my_syncs) AS x(sync) ON d.sync IN (x.sync, x.sync || ' (paused)')
    JOIN pg_class c ON c.oid = to_regclass(d.tablename) AND c.relkind = 'r'
    JOIN pg_namespace s ON s.oid = c.relnamespace
    -- Of one that lost its key nothing can be captured, and it is told (machine_follow).
    WHERE (my_only IS NULL OR d.tablename = my_only) AND NOT EXISTS (SELECT 1 FROM bucardo.machine_keys k
      WHERE k.name = d.tablename AND k.columns = '{0}') ORDER BY 2 LOOP
    seen := bucardo.machine_capture_look(n.sync, n.tablename, n.deltaname);
    SELECT m.state, m.rewrite INTO was, moved FROM bucardo.machine_captured m
      WHERE m.sync = n.sync AND m.tablename = n.tablename;
    sync := n.sync; tablename := n.tablename; table_schema := n.nspname; table_name := n.relname;
    now_rows := n.rows || jsonb_build_object('labels', (n.rows->'labels') || coalesce(moved->'labels', '{}'));
    gap := concat_ws('; ',
      CASE WHEN was->'table' <> seen->'table' THEN 'another table has its name since' END,
      CASE WHEN was->'delta' <> seen->'delta' OR seen->'delta' = 'null' THEN 'its delta table was dropped' END,
      bucardo.machine_capture_change('bucardo_delta', was->'table' <> seen->'table', was->>'row', seen->>'row'),
      bucardo.machine_capture_change('bucardo_note_trunc_' || n.sync, was->'table' <> seen->'table',
        was->>'truncate', seen->>'truncate'),
      CASE WHEN was->>'body' <> seen->>'body' AND seen->>'body' <> n.code
        THEN 'the function of its trigger was replaced' END,
      CASE WHEN was->'key' <> seen->'key' THEN 'the types of its key columns changed' END,
      CASE WHEN was->'table' = seen->'table' AND seen->'missed' IS NOT NULL AND was->'missed' IS DISTINCT FROM seen->'missed'
        THEN 'it was written to after ALTER TABLE, and before its key was followed' END,
      CASE WHEN moved->'file' <> n.rows->'file' AND moved->'columns' <> n.rows->'columns'
        AND was->'table' = seen->'table' THEN 'its rows were rewritten by ALTER TABLE' END,
      CASE WHEN was->'table' = seen->'table' AND moved->'file' = n.rows->'file'
        AND bucardo.machine_capture_values(moved->'values', n.rows->'values')
        THEN 'ALTER TABLE gave its rows other values in a column' END,
      CASE WHEN was->'table' = seen->'table' AND NOT now_rows->'labels' @> (n.rows->'labels')
        THEN 'labels of an enum or parts of a type are others' END,
      CASE WHEN was->'table' = seen->'table' AND moved->>'unlogged' <> n.rows->>'unlogged'
        THEN 'a crash emptied it: it is unlogged' END);
    IF gap <> '' OR was IS NULL OR was <> seen OR seen->>'body' IS DISTINCT FROM n.code
      OR (n.is_owner AND seen->>'row' LIKE '% O') THEN
      RETURN NEXT;
    ELSIF moved IS DISTINCT FROM now_rows THEN
      UPDATE bucardo.machine_captured m SET rewrite = now_rows
        WHERE m.sync = n.sync AND m.tablename = n.tablename;
    END IF;
  END LOOP;
END $machine$
