-- verify_tables - the tables and materialised views of one side, for verify_catalog.c:
-- name, OID, kind, rows about, bytes, columns, key, and whether ranges of the first column of the
-- key are read by an index, its names, whether it is populated, its definition (verify_definition.sql), and the
-- extension that it belongs to, or ''. Columns
-- and key are JSON lists of [quoted name, way, type]: the way says how digest.c makes a value comparable. A type that is not the server's own is written by its output function
-- (format), never by a cast: its owner may make one, which would run with our rights. A virtual generated column is
-- an expression of its owner, so it is left out; it holds nothing. A type's name is that without a length: a cast
-- to "character" is one to char(1).
WITH kinds AS (
  SELECT t.oid, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END AS base
  FROM pg_type t),
ways AS (
  SELECT k.oid, CASE WHEN k.base IN (20, 21, 23) THEN 'int' WHEN k.base = 16 THEN 'bool' WHEN k.base = 2950 THEN 'uuid'
      WHEN k.base = 1114 THEN 'timestamp' WHEN k.base = 1184 THEN 'timestamptz'
      WHEN k.base = 1042 THEN 'bpchar' WHEN k.base = 17 THEN 'bytea'
      WHEN k.base < 16384 AND t.typtype = 'b' THEN 'text' ELSE 'format' END AS way,
    format_type(k.base, -1) AS type
  FROM kinds k JOIN pg_type t ON t.oid = k.base),
keys AS (
  SELECT DISTINCT ON (i.indrelid) i.indrelid, i.indkey::int2[] AS attnums,
    coalesce((to_jsonb(i)->>'indnkeyatts')::int, i.indnatts) AS width
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
  WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND NOT EXISTS (SELECT 1 FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, n)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      WHERE NOT a.attnotnull AND k.n <= coalesce((to_jsonb(i)->>'indnkeyatts')::int, i.indnatts))
  ORDER BY i.indrelid, NOT i.indisprimary, i.indnatts, i.indexrelid)
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.oid, c.relkind,
  CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN (c.reltuples / c.relpages * (pg_relation_size(c.oid)
      / current_setting('block_size')::int))::bigint ELSE pg_relation_size(c.oid) / 100 END, pg_table_size(c.oid),
  coalesce((SELECT json_agg(json_build_array(quote_ident(a.attname), w.way, w.type) ORDER BY a.attname COLLATE "C")
    FROM pg_attribute a JOIN ways w ON w.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attnum > 0
    AND NOT a.attisdropped AND coalesce(to_jsonb(a)->>'attgenerated', '') <> 'v'), '[]'),
  coalesce((SELECT json_agg(json_build_array(quote_ident(a.attname), w.way, w.type) ORDER BY p.n)
    FROM generate_series(1, k.width) p(n) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnums[p.n - 1]
    JOIN ways w ON w.oid = a.atttypid), '[]'),
  n.nspname, c.relname, c.relispopulated,
  (SELECT concat_ws(' ', c.oid, string_agg(concat_ws(' ', a.attnum, quote_ident(a.attname), a.atttypid, a.atttypmod),
    ',' ORDER BY a.attnum)) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  coalesce((SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_extension'::regclass
    AND d.deptype = 'e' LIMIT 1), '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN keys k ON k.indrelid = c.oid
WHERE c.relkind IN ('r', 'm') AND c.relpersistence IN ('p', 'u') AND n.nspname !~ '^pg_'
AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')
ORDER BY 1
