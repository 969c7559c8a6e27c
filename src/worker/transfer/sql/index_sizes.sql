-- index_sizes - of each index of the source, under its own name and under that of its constraint:
-- "schema.index" or "schema.table constraint", its bytes, and whether it compares texts by a
-- collation, which takes several times as long. Versions 13 and later.
WITH sized AS (SELECT i.indexrelid, n.nspname, x.relname, pg_relation_size(i.indexrelid) AS bytes,
    EXISTS (SELECT 1 FROM unnest(i.indcollation::oid[]) AS k (oid) JOIN pg_collation c ON c.oid = k.oid
      WHERE CASE WHEN c.collname = 'default' THEN d.datcollate ELSE c.collcollate END NOT IN ('C', 'POSIX')
        AND c.collname NOT IN ('C', 'POSIX', 'ucs_basic')) AS is_text
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = x.relnamespace
    JOIN pg_database d ON d.datname = current_database()
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
SELECT nspname || '.' || relname, bytes, is_text FROM sized
UNION ALL SELECT s.nspname || '.' || t.relname || ' ' || k.conname, s.bytes, s.is_text
  FROM pg_constraint k JOIN sized s ON s.indexrelid = k.conindid JOIN pg_class t ON t.oid = k.conrelid
  WHERE k.contype IN ('p', 'u', 'x')
