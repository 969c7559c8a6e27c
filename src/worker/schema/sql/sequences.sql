-- sequences - all of them, but for $1 (oids), with their direction. That of one that cycles is none: it
-- may go round at any time.
SELECT '"' || replace(n.nspname, '"', '""') || '"' || '.' || '"' || replace(c.relname, '"', '""') || '"',
CASE WHEN s.seqcycle THEN 0 ELSE sign(s.seqincrement) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_sequence s ON s.seqrelid = c.oid
WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
AND c.oid <> ALL ($1::oid[])
AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')
ORDER BY 1
