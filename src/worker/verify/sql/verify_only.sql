-- verify_only - the tables of this side, partitioned ones too, but for those with these OIDs ($1, an array)
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND c.oid <> ALL ($1::oid[])
AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')
