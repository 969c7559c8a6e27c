-- traces_own_left - where others use this database too: triggers and functions that bear the names of $1, and
-- for each table of ours and of Bucardo's with a column for names a query that counts the rows. Knows nothing of
-- what was removed. $2: it is the destination, whose fence counts as well.
WITH mine AS (SELECT n || s AS sync FROM unnest($1::text[]) n, unnest(ARRAY['', '_sync', '_sync_2',
    '_sync_3', '_sync_4', '_sync_5', '_sync_6', '_sync_7', '_sync_8']) s),
words AS (SELECT string_agg(quote_literal(w), ', ') AS list FROM (
    SELECT sync FROM mine UNION SELECT sync || ' (paused)' FROM mine UNION SELECT unnest($1::text[])
    UNION SELECT 'dbgroup ' || n || '_dbs' FROM unnest($1::text[]) n) x(w))
SELECT format('trigger %I on %s', g.tgname, g.tgrelid::regclass) AS what,
    format('DROP TRIGGER %I ON %s', g.tgname, g.tgrelid::regclass) AS statement, NULL AS count
  FROM pg_trigger g WHERE NOT g.tgisinternal AND (($2::boolean AND g.tgname ~ '^bucardo_machine_fence')
    OR EXISTS (SELECT 1 FROM mine WHERE strpos(g.tgname, 'bucardo') = 1
      AND (right(g.tgname, length(sync) + 1) = '_' || sync OR encode(g.tgargs, 'escape') = sync || '\000')))
UNION ALL SELECT 'function ' || p.oid::regprocedure, 'DROP ROUTINE ' || p.oid::regprocedure, NULL
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname ~ '^bucardo' AND EXISTS (SELECT 1 FROM mine WHERE p.proname = left('bucardo_kick_' || sync, 63))
UNION ALL SELECT format('rows in %s', c.oid::regclass), format('DELETE FROM %s WHERE %I IN (%s)', c.oid::regclass,
    a.attname, w.list), format('SELECT count(*) FROM %s WHERE %I IN (%s)', c.oid::regclass, a.attname, w.list)
  FROM words w, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE n.nspname ~ '^bucardo' AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
  AND c.relname ~ '^(machine_|bucardo_(delta|truncate))' AND a.attname IN ('sync', 'migration', 'target')
ORDER BY 1
