-- traces_own_tables - where others use this database too: what stands behind the triggers of tables
-- that only the syncs of $1 take from, with what is remembered of them, a row a table.
WITH mine AS (SELECT n || s AS sync FROM unnest($1::text[]) n, unnest(ARRAY['', '_sync', '_sync_2',
    '_sync_3', '_sync_4', '_sync_5', '_sync_6', '_sync_7', '_sync_8']) s)
SELECT format('DROP TABLE IF EXISTS bucardo.%s, bucardo.%s, bucardo.%s, bucardo.%s; '
    'DROP FUNCTION IF EXISTS bucardo.%1$s()', d.deltaname, d.trackname,
    regexp_replace(d.deltaname, '^("?)delta_', '\1stage_'),
    regexp_replace(d.deltaname, '^("?)delta_', '\1mpark_'))
  || (SELECT coalesce(string_agg(format('; DELETE FROM bucardo.%I WHERE %I = %L', t, c, d.tablename), ''), '')
      FROM (VALUES ('machine_captured', 'tablename'), ('machine_keys', 'name'),
        ('machine_touches', 'tablename'), ('bucardo_delta_names', 'tablename')) x(t, c)
      WHERE to_regclass('bucardo.' || t) IS NOT NULL)
  || CASE WHEN to_regclass('bucardo.machine_missed') IS NULL THEN ''
    ELSE format('; DELETE FROM bucardo.machine_missed WHERE relation = to_regclass(%L)', d.tablename) END AS statement
  FROM bucardo.bucardo_delta_names d WHERE d.deltaname IS NOT NULL
  GROUP BY d.tablename, d.deltaname, d.trackname
  HAVING bool_and(regexp_replace(d.sync, ' \(paused\)$', '') IN (SELECT sync FROM mine))
  AND NOT EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names o WHERE o.deltaname = d.deltaname
    AND regexp_replace(o.sync, ' \(paused\)$', '') NOT IN (SELECT sync FROM mine))
  ORDER BY 1
