-- sequences_list - $1 oids of sequences that stay behind: names of all others, quoted where needed.
-- On the source.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')
AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
 AND d.objid = c.oid AND d.deptype = 'e') AND c.oid <> ALL ($1::oid[]) ORDER BY 1
