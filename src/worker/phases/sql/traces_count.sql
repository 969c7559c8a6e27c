-- traces_count - triggers on tables that are ours or Bucardo's, and other objects of theirs.
WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname IN ('bucardo', 'bucardo_machine'))
SELECT (SELECT count(*) FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid JOIN pg_class c ON c.oid = g.tgrelid
    WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND p.pronamespace IN (SELECT oid FROM ours)
    AND c.relnamespace NOT IN (SELECT oid FROM ours)),
  (SELECT count(*) FROM pg_class WHERE relnamespace IN (SELECT oid FROM ours) AND relkind IN ('r', 'p', 'v', 'S'))
  + (SELECT count(*) FROM pg_proc WHERE pronamespace IN (SELECT oid FROM ours))
