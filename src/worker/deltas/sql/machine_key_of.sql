-- machine_key_of - the numbers of the columns of a table's key, in its order, chosen as capture
-- does (selected_tables.c): the primary key, or else the unique index with the fewest columns that are all
-- NOT NULL. With $2, columns that may still be it: those when an index says that they are.
CREATE OR REPLACE FUNCTION bucardo.machine_key_of(my_table oid, mine int2[]) RETURNS int2[]
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $machine$
SELECT CASE WHEN same THEN mine ELSE columns END FROM (
  SELECT i.indexrelid, i.indisprimary, array_agg(k.attnum ORDER BY k.n) AS columns,
    array_agg(k.attnum ORDER BY k.attnum) = (SELECT array_agg(m ORDER BY m) FROM unnest(mine) m)
      IS TRUE AS same
  FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  JOIN pg_type y ON y.oid = a.atttypid
  WHERE i.indrelid = my_table AND NOT EXISTS (SELECT 1 FROM unnest(i.indclass::oid[]) o(oid)
    JOIN pg_opclass f ON f.oid = o.oid AND f.opcname = 'record_image_ops') AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
  AND i.indexprs IS NULL
  AND k.n <= coalesce((to_jsonb(i)->>'indnkeyatts')::int, i.indnatts)
  GROUP BY i.indexrelid, i.indisprimary
  HAVING bool_and(a.attnotnull AND y.typcategory <> 'A' AND a.attname <> 'txntime')) x
ORDER BY NOT same, NOT indisprimary, cardinality(columns), indexrelid LIMIT 1
$machine$
