-- wave_keys - the foreign keys of the source that hold there, one row for each object of the dump that
-- has to be made before: name of the foreign key in the dump, table that refers and table referred to
-- (of partitions the table they are parts of), name of the object. Sorted by the first.
WITH rel AS MATERIALIZED (SELECT c.oid, n.nspname, c.relname, c.relkind,
  coalesce(pg_partition_root(c.oid), c.oid) AS root,
  format('"%s"."%s"', replace(n.nspname, '"', '""'), replace(c.relname, '"', '""')) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_'
  AND c.relkind IN ('r', 'p', 'i', 'I')),
keys AS (SELECT k.oid, k.conindid, format('FK CONSTRAINT %s.%s %s', f.nspname, f.relname, k.conname) AS name,
  froot.name AS from_table, troot.name AS to_table
  FROM pg_constraint k JOIN rel f ON f.oid = k.conrelid JOIN rel froot ON froot.oid = f.root
  JOIN rel t ON t.oid = k.confrelid JOIN rel troot ON troot.oid = t.root
  WHERE k.contype = 'f' AND k.convalidated AND k.conparentid = 0),
indexes AS (SELECT conindid, conindid AS oid FROM keys
  UNION SELECT k.conindid, p.relid FROM keys k, LATERAL pg_partition_tree(k.conindid) p)
SELECT k.name, k.from_table, k.to_table, o.name FROM keys k
JOIN indexes i ON i.conindid = k.conindid JOIN rel x ON x.oid = i.oid
CROSS JOIN LATERAL (SELECT format('INDEX %s.%s', x.nspname, x.relname)
  UNION ALL SELECT format('INDEX ATTACH %s.%s', x.nspname, x.relname)
  UNION ALL SELECT format('CONSTRAINT %s.%s %s', t.nspname, t.relname, u.conname)
  FROM pg_constraint u JOIN rel t ON t.oid = u.conrelid
  WHERE u.conindid = x.oid AND u.contype IN ('p', 'u', 'x')) o (name)
ORDER BY 1
