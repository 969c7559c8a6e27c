-- source_key - the columns of the best key of table $1, with their types; none: there is no key to
-- copy it in ranges by. Of a domain what it stands for: its checks would run on the source with our
-- rights.
SELECT '"' || replace(a.attname, '"', '""') || '"', CASE WHEN y.typtype = 'd' THEN format_type(y.typbasetype, y.typtypmod)
  ELSE format_type(a.atttypid, a.atttypmod) END
FROM (SELECT i.indkey, i.indrelid, coalesce((to_jsonb(i)->>'indnkeyatts')::int, i.indnatts) AS width FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
  WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid
  AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
  AND m.amname = 'btree' AND NOT EXISTS (SELECT 1
    FROM generate_series(0, coalesce((to_jsonb(i)->>'indnkeyatts')::int, i.indnatts) - 1) g
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[g]
    JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype
    WHERE NOT a.attnotnull OR NOT coalesce(t.typtype = 'e' OR b.typtype = 'e'
      OR (t.typtype = 'b' AND t.oid < 16384)
      OR (t.typtype = 'd' AND b.typtype = 'b' AND b.oid < 16384), false))
  ORDER BY i.indisprimary DESC, 3, i.indexrelid LIMIT 1) k
CROSS JOIN LATERAL generate_series(0, k.width - 1) g
JOIN pg_attribute a ON a.attrelid = k.indrelid AND a.attnum = k.indkey[g]
JOIN pg_type y ON y.oid = a.atttypid ORDER BY g
