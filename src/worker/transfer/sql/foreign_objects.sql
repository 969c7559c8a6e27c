-- foreign_objects - what the destination holds that a dump would carry, and that is neither ours nor an
-- extension's: some names, and how many there are.
SELECT string_agg(name, ', ' ORDER BY name) || CASE WHEN max(all_of) > 5
THEN ', ... (' || max(all_of) || ' in all)' ELSE '' END FROM (
SELECT format('%I.%I', n.nspname, c.relname) AS name, count(*) OVER () AS all_of
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bucardo_machine')
AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
  AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1 LIMIT 5) f
