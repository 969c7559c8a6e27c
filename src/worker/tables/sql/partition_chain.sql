-- partition_chain - partition $1 and those above it that are partitions themselves, from the top: name, of
-- which table, for which values and how it is divided itself.
WITH RECURSIVE up AS (SELECT to_regclass($1)::oid AS oid, 0 AS depth
 UNION ALL SELECT i.inhparent, up.depth + 1 FROM up JOIN pg_class c ON c.oid = up.oid
 JOIN pg_inherits i ON i.inhrelid = up.oid WHERE c.relispartition AND up.depth < 50)
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname),
quote_ident(pn.nspname) || '.' || quote_ident(p.relname),
pg_get_expr(c.relpartbound, c.oid) || CASE c.relkind WHEN 'p'
 THEN ' PARTITION BY ' || pg_get_partkeydef(c.oid) ELSE '' END
FROM up JOIN pg_class c ON c.oid = up.oid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_inherits i ON i.inhrelid = c.oid JOIN pg_class p ON p.oid = i.inhparent
JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE c.relispartition ORDER BY up.depth DESC
