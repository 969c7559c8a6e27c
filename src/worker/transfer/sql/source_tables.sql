-- source_tables - the tables of the source that hold rows, the biggest first, but for those of $1 (oids):
-- name, bytes, blocks, columns, how far their values may travel in binary (2 yes, 1 no, 0 not at all),
-- what an extension's table has of its own, about how many rows. Stored generated columns are left
-- out; servers before version 12, which have none, are read through to_jsonb().
-- Binary: types of PostgreSQL itself, but for those whose binary form is an OID or depends on a
-- setting. Enums travel as their label. All else as text: arrays and composites of user types hold
-- OIDs, an extension's format may differ between its versions.
SELECT c.oid, '"' || replace(n.nspname, '"', '""') || '"' || '.' || '"' || replace(c.relname, '"', '""') || '"',
pg_table_size(c.oid), pg_relation_size(c.oid) / 8192,
coalesce(a.columns, ''), coalesce(a.binary, 1),
coalesce(e.extcondition[array_position(e.extconfig, c.oid)], ''),
CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN
 (c.reltuples / c.relpages * (pg_relation_size(c.oid) / 8192))::bigint ELSE 0 END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_extension e ON c.oid = ANY (e.extconfig)
LEFT JOIN (SELECT a.attrelid,
  string_agg('"' || replace(a.attname, '"', '""') || '"', ', ' ORDER BY a.attnum) AS columns,
  min(CASE WHEN t.typtype = 'd' THEN CASE WHEN b.typtype = 'e' THEN 2
      WHEN b.typtype NOT IN ('b', 'r', 'm') OR b.oid >= 16384 OR b.typsend = 0 OR b.typreceive = 0
      OR b.typname ~ '^_?(reg.*|money|xml|aclitem|refcursor|pg_.*)$' THEN 0
      WHEN b.typname ~ '^(bool|bytea|date|float[48]|int[248]|numeric|text|time|timestamp|timestamptz|uuid|varchar|bpchar|interval)$'
      THEN 2 ELSE 1 END ELSE CASE WHEN t.typtype = 'e' THEN 2
      WHEN t.typtype NOT IN ('b', 'r', 'm') OR t.oid >= 16384 OR t.typsend = 0 OR t.typreceive = 0
      OR t.typname ~ '^_?(reg.*|money|xml|aclitem|refcursor|pg_.*)$' THEN 0
      WHEN t.typname ~ '^(bool|bytea|date|float[48]|int[248]|numeric|text|time|timestamp|timestamptz|uuid|varchar|bpchar|interval)$'
      THEN 2 ELSE 1 END END) AS binary
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_type b ON b.oid = t.typbasetype
  WHERE a.attnum > 0 AND NOT a.attisdropped AND coalesce(to_jsonb(a)->>'attgenerated', '') = '' GROUP BY 1) a ON a.attrelid = c.oid
WHERE c.relkind = 'r' AND c.relpersistence IN ('p', 'u')
AND c.oid <> ALL ($1::oid[])
AND n.nspname !~ '^pg_'
AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')
AND (e.oid IS NOT NULL OR NOT EXISTS (SELECT 1 FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
ORDER BY 3 DESC, 2
