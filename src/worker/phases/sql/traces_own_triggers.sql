-- traces_own_triggers - where others use this database too: the triggers of the migrations and syncs
-- named in $1, a row a table. Those that note changes stay while another sync takes from the table.
WITH mine AS (SELECT n || s AS sync FROM unnest($1::text[]) n, unnest(ARRAY['', '_sync', '_sync_2',
    '_sync_3', '_sync_4', '_sync_5', '_sync_6', '_sync_7', '_sync_8']) s),
alone AS (SELECT to_regclass(d.tablename) AS oid FROM bucardo.bucardo_delta_names d GROUP BY d.tablename
    HAVING bool_and(regexp_replace(d.sync, ' \(paused\)$', '') IN (SELECT sync FROM mine)))
SELECT string_agg(format('DROP TRIGGER IF EXISTS %I ON %I.%I', g.tgname, n.nspname, c.relname),
    '; ' ORDER BY g.tgname) AS statement
  FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid
  JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE g.tgparentid = 0 AND NOT g.tgisinternal AND p.pronamespace = to_regnamespace('bucardo')
  AND n.nspname NOT IN ('bucardo', 'bucardo_machine') AND (c.oid IN (SELECT oid FROM alone) OR EXISTS (
    SELECT 1 FROM mine WHERE encode(g.tgargs, 'escape') = sync || '\000'
      OR g.tgname = left('bucardo_kick_' || sync, 63)))
  GROUP BY n.nspname, c.relname ORDER BY 1
