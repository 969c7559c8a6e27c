-- plan_works - $1 tables (oid[]): what is built on the destination after their rows, one row each:
-- the method of the index, "foreign" or "analyze"; bytes and rows of its table (0: not known);
-- bytes of the index; whether it compares texts by a collation, or a foreign key is not one of a table
-- whose other partitions were named before. Versions 13 and later.
WITH t AS (SELECT c.oid, pg_table_size(c.oid) AS bytes, greatest(c.reltuples, 0)::bigint AS rows
  FROM pg_class c WHERE c.oid = ANY ($1::oid[]))
SELECT m.amname, t.bytes, t.rows, pg_relation_size(x.oid),
  EXISTS (SELECT 1 FROM unnest(i.indcollation::oid[]) AS k (oid) JOIN pg_collation c ON c.oid = k.oid
    WHERE CASE WHEN c.collname = 'default' THEN (SELECT d.datcollate FROM pg_database d
      WHERE d.datname = current_database()) ELSE c.collcollate END NOT IN ('C', 'POSIX')
      AND c.collname NOT IN ('C', 'POSIX', 'ucs_basic'))
FROM t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_am m ON m.oid = x.relam
UNION ALL SELECT 'foreign', t.bytes, t.rows, 0,
  row_number() OVER (PARTITION BY coalesce(nullif(k.conparentid, 0), k.oid)) = 1 FROM t JOIN pg_constraint k ON k.conrelid = t.oid
  WHERE k.contype = 'f' AND k.convalidated
UNION ALL SELECT 'analyze', t.bytes, t.rows, 0, false FROM t
