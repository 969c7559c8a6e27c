-- machine_rename_table - what is called after a captured table gets its new name, as Bucardo
-- would look for it: delta, track, stage and deferred tables, their indexes, the function of the
-- trigger; and all that waits is noted under it.
CREATE OR REPLACE FUNCTION bucardo.machine_rename_table(my_old text, my_new text, my_relation oid)
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE n record; kind text; from_name text; to_name text; delta text; found oid;
BEGIN
  delta := bucardo.bucardo_tablename_maker(my_new, 'delta_');
  FOR n IN SELECT DISTINCT d.deltaname FROM bucardo.bucardo_delta_names d WHERE d.tablename = my_old
    AND d.deltaname <> delta LOOP
    FOREACH kind IN ARRAY ARRAY['delta_', 'track_', 'stage_', 'mpark_', 'dex1_', 'dex2_', 'dex3_'] LOOP
      from_name := regexp_replace(n.deltaname, '^("?)delta_', '\1' || kind);
      to_name := regexp_replace(delta, '^("?)delta_', '\1' || kind);
      found := to_regclass('bucardo.' || from_name);
      -- One of that name that nobody writes to was left by somebody.
      IF to_regclass('bucardo.' || to_name) IS NOT NULL AND NOT EXISTS (SELECT 1
        FROM bucardo.bucardo_delta_names d WHERE d.deltaname = delta) THEN
        EXECUTE format('DROP %s bucardo.%s', CASE WHEN kind LIKE 'dex%' THEN 'INDEX IF EXISTS'
          ELSE 'TABLE IF EXISTS' END, to_name);
      END IF;
      IF found IS NOT NULL THEN
        EXECUTE format('ALTER %s bucardo.%s RENAME TO %s', CASE WHEN kind LIKE 'dex%' THEN 'INDEX'
          ELSE 'TABLE' END, from_name, to_name);
      END IF;
    END LOOP;
    IF to_regprocedure(format('bucardo.%s()', delta)) IS NOT NULL THEN
      EXECUTE format('DROP FUNCTION bucardo.%s()', delta);
    END IF;
    IF to_regprocedure(format('bucardo.%s()', n.deltaname)) IS NOT NULL THEN
      EXECUTE format('ALTER FUNCTION bucardo.%s() RENAME TO %s', n.deltaname, delta);
    END IF;
  END LOOP;
  UPDATE bucardo.bucardo_delta_names d SET tablename = my_new, deltaname = delta,
    trackname = bucardo.bucardo_tablename_maker(my_new, 'track_') WHERE d.tablename = my_old;
  UPDATE bucardo.bucardo_truncate_trigger t SET sname = s.nspname, tname = c.relname
    FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE c.oid = my_relation AND t.tablename = my_relation AND t.replicated IS NULL;
  UPDATE bucardo.machine_touches t SET tablename = my_new WHERE t.tablename = my_old
    AND NOT EXISTS (SELECT 1 FROM bucardo.machine_touches o WHERE o.tablename = my_new);
  UPDATE bucardo.machine_captured m SET tablename = my_new WHERE m.tablename = my_old
    AND NOT EXISTS (SELECT 1 FROM bucardo.machine_captured o WHERE o.tablename = my_new AND o.sync = m.sync);
  UPDATE bucardo.machine_targets t SET tablename = my_new WHERE t.tablename = my_old
    AND NOT EXISTS (SELECT 1 FROM bucardo.machine_targets o WHERE o.tablename = my_new AND o.target = t.target);
  UPDATE bucardo.machine_keys m SET name = my_new WHERE m.name = my_old;
  -- Its guard is made of what stands there now.
  IF to_regprocedure(format('bucardo.%s()', delta)) IS NOT NULL THEN PERFORM bucardo.machine_remake(delta); END IF;
END $machine$
