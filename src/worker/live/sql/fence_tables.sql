-- fence_tables - the tables of the side that is left which applications may write to, without those of $1
-- (oids): name, oid, whether a logical subscription feeds it. In the order in which they are locked:
-- partitioned ones before their partitions, as their writers take them, then those with the most writes.
SELECT format('%I.%I', n.nspname, c.relname), c.oid,
  c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_subscription_rel s WHERE s.srrelid = c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine') AND c.oid <> ALL ($1::oid[])
AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
  AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relkind = 'r', c.relispartition, pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid)
  + pg_stat_get_tuples_deleted(c.oid) DESC, 1
