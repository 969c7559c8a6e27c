-- materialised_views - those that hold rows, but for $1 (oids), in an order in which each reads only
-- refreshed ones; views lie between them.
WITH RECURSIVE dep AS (SELECT DISTINCT r.ev_class AS oid, d.refobjid AS needs
 FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass
 AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
 AND d.refobjid <> r.ev_class
 JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('v', 'm')),
level (oid, depth) AS (SELECT oid, 0 FROM pg_class WHERE relkind IN ('v', 'm')
 UNION SELECT dep.oid, level.depth + 1 FROM level
 JOIN dep ON dep.needs = level.oid WHERE level.depth < 100)
SELECT '"' || replace(n.nspname, '"', '""') || '"' || '.' || '"' || replace(c.relname, '"', '""') || '"', pg_table_size(c.oid)
FROM level JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname !~ '^pg_'
AND c.oid <> ALL ($1::oid[])
GROUP BY c.oid, n.nspname, c.relname ORDER BY max(level.depth), 1
