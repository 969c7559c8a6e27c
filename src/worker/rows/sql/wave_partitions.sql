-- wave_partitions - each partition of the source, and the table that it is a part of in the end.
SELECT format('"%s"."%s"', replace(n.nspname, '"', '""'), replace(c.relname, '"', '""')),
  format('"%s"."%s"', replace(m.nspname, '"', '""'), replace(r.relname, '"', '""'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class r ON r.oid = pg_partition_root(c.oid) JOIN pg_namespace m ON m.oid = r.relnamespace
WHERE c.relispartition AND c.relkind IN ('r', 'p')
