-- traces_waiting - for each table that syncs of $1 (of all, where it is empty) take from, a query that counts the
-- changes that were not applied: those that wait, up to 1,000,000, and those that are deferred.
WITH mine AS (SELECT n || s AS sync, 'dbgroup ' || n || '_dbs' AS target FROM unnest($1::text[]) n,
    unnest(ARRAY['', '_sync', '_sync_2', '_sync_3', '_sync_4', '_sync_5', '_sync_6', '_sync_7', '_sync_8']) s)
SELECT DISTINCT format('SELECT (SELECT count(*) FROM (SELECT 1 FROM bucardo.%s d WHERE NOT EXISTS (SELECT 1'
    ' FROM bucardo.%s t WHERE t.txntime = d.txntime%s) LIMIT 1000000) x)', d.deltaname, d.trackname,
    coalesce(format(' AND t.target = %L', m.target), ''))
  || CASE WHEN to_regclass('bucardo.' || p.deferred) IS NULL THEN ''
    ELSE format(' + (SELECT count(*) FROM bucardo.%s)', p.deferred) END
  FROM bucardo.bucardo_delta_names d LEFT JOIN mine m ON m.sync = regexp_replace(d.sync, ' \(paused\)$', '')
  CROSS JOIN LATERAL (SELECT regexp_replace(d.deltaname, '^("?)delta_', '\1mpark_') AS deferred) p
  WHERE (m.sync IS NOT NULL OR cardinality($1::text[]) = 0) AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL
  AND to_regclass('bucardo.' || d.trackname) IS NOT NULL
