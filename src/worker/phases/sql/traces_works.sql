-- traces_works - what takes all of ours and of Bucardo's out of this database: stage, statement, a
-- row a transaction. A stage begins when nothing of the one before is left: a trigger must not
-- outlive its function, nor a function what it writes to. The ledgers that tell whose all of it
-- is go last of the tables. Nothing is asked but the catalogs; servers from 13 on.
WITH ours AS (SELECT oid, nspname FROM pg_namespace
    WHERE nspname IN ('bucardo', 'bucardo_machine', 'bucardo_machine_trial')),
code AS (SELECT p.oid, o.nspname, p.proname, p.oid::regprocedure AS signature
    FROM pg_proc p JOIN ours o ON o.oid = p.pronamespace
    WHERE o.nspname <> 'bucardo' OR p.proname ~ '^(bucardo_|machine_|delta_)'),
/* A database that holds somebody's Bucardo keeps that one's own tables. */
relations AS (SELECT c.oid, c.relkind, c.relname, o.nspname, format('%I.%I', o.nspname, c.relname) AS name
    FROM pg_class c JOIN ours o ON o.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND (o.nspname <> 'bucardo'
      OR c.relname ~ '^(bucardo_(delta|track|truncate|sequence|rate)|machine_|delta_|track_|stage_|mpark_)')
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
      AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
SELECT 1 AS stage, string_agg(format('DROP TRIGGER IF EXISTS %I ON %I.%I', g.tgname, n.nspname, c.relname),
    '; ' ORDER BY g.tgname) AS statement
  FROM pg_trigger g JOIN code ON code.oid = g.tgfoid JOIN pg_class c ON c.oid = g.tgrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE g.tgparentid = 0 AND NOT g.tgisinternal AND n.oid NOT IN (SELECT oid FROM ours)
  GROUP BY n.nspname, c.relname
UNION ALL SELECT 1, format('DROP EVENT TRIGGER IF EXISTS %I', e.evtname)
  FROM pg_event_trigger e JOIN code ON code.oid = e.evtfoid
UNION ALL SELECT CASE WHEN relkind = 'v' OR relkind = 'm' THEN 2
    WHEN nspname <> 'bucardo' OR relname ~ '^(delta_|track_|stage_|mpark_)' THEN 3
    WHEN relname = 'bucardo_delta_names' THEN 5
    WHEN relname IN ('machine_syncs', 'machine_runs') THEN 6
    WHEN relname IN ('machine_owners', 'machine_beats') THEN 7 ELSE 4 END,
  format('DROP %s IF EXISTS %s', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
    WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, name) FROM relations
UNION ALL SELECT 8, 'DROP ROUTINE IF EXISTS ' || signature FROM code
  WHERE nspname <> 'bucardo' OR to_regclass('bucardo.goat') IS NULL OR proname ~ '^(machine_|delta_)'
UNION ALL SELECT 9, format('DROP SCHEMA IF EXISTS %I', nspname) FROM ours o
  WHERE o.nspname <> 'bucardo' OR (to_regclass('bucardo.goat') IS NULL
    AND NOT EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = o.oid
      AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND c.oid NOT IN (SELECT oid FROM relations)
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
        AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
    AND NOT EXISTS (SELECT 1 FROM pg_proc p WHERE p.pronamespace = o.oid
      AND p.oid NOT IN (SELECT oid FROM code)))
ORDER BY 1, 2
