-- traces_own_fence - where others use this database too, and it is the destination of $1: the fence and the ledger of
-- the copy, stage by stage as in traces_works. What transfers sequences stays: others may do so here.
WITH code AS (SELECT p.oid, p.proname, p.oid::regprocedure AS signature FROM pg_proc p
    WHERE $1::text[] IS NOT NULL AND p.pronamespace = to_regnamespace('bucardo_machine')),
works AS (SELECT 1 AS stage, string_agg(format('DROP TRIGGER IF EXISTS %I ON %I.%I', g.tgname, n.nspname, c.relname),
    '; ' ORDER BY g.tgname) AS statement
  FROM pg_trigger g JOIN code ON code.oid = g.tgfoid JOIN pg_class c ON c.oid = g.tgrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE g.tgparentid = 0 AND NOT g.tgisinternal GROUP BY n.nspname, c.relname
UNION ALL SELECT 2, format('DROP %s IF EXISTS bucardo_machine.%I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE'
    ELSE 'TABLE' END, c.relname) FROM pg_class c WHERE c.relnamespace = to_regnamespace('bucardo_machine')
  AND c.relkind IN ('r', 'S') AND c.relname <> 'sequence' AND NOT EXISTS (SELECT 1 FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i'))
UNION ALL SELECT 3, 'DROP ROUTINE IF EXISTS ' || signature FROM code
  WHERE proname ~ '^(raise_fence|lift_fence|hand_over|take_side|refuse_write|machine_refuse_|know_targets)')
SELECT statement FROM works WHERE stage = (SELECT min(stage) FROM works) ORDER BY 1
