-- post_data_objects - one row an index and a constraint: "schema TAB name", what it is on and what it
-- refers to, the bytes under it, and how to build it where that is done in two steps: the key of a
-- table of more than $1 bytes is built as an index first.
WITH rel AS MATERIALIZED (SELECT c.oid, n.nspname, c.relname, c.relkind,
 '"' || replace(n.nspname, '"', '""') || '"' || '.' || '"' || replace(c.relname, '"', '""') || '"' AS name,
 CASE WHEN c.relkind IN ('r', 'm') THEN pg_table_size(c.oid) ELSE 0 END AS bytes
 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_'
 AND n.nspname <> 'information_schema')
SELECT rel.nspname || E'\t' || x.relname, rel.name, '', rel.bytes, '', ''
FROM pg_index i JOIN rel ON rel.oid = i.indrelid
JOIN pg_class x ON x.oid = i.indexrelid
UNION ALL
SELECT rel.nspname || E'\t' || rel.relname || ' ' || k.conname, rel.name,
 coalesce(ref.name, ''), rel.bytes,
 CASE WHEN b.apart THEN pg_get_indexdef(k.conindid) || ';' ELSE '' END,
 CASE WHEN b.apart THEN 'ALTER TABLE ONLY ' || rel.name || ' ADD CONSTRAINT '
  || '"' || replace(k.conname, '"', '""') || '"' || CASE k.contype WHEN 'p' THEN ' PRIMARY KEY'
  ELSE ' UNIQUE' END || ' USING INDEX ' || '"' || replace(x.relname, '"', '""') || '"'
  || CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
  || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END || ';'
  ELSE '' END
FROM pg_constraint k JOIN rel ON rel.oid = k.conrelid
LEFT JOIN rel ref ON ref.oid = k.confrelid
LEFT JOIN pg_class x ON x.oid = k.conindid LEFT JOIN pg_am m ON m.oid = x.relam
LEFT JOIN pg_index i ON i.indexrelid = x.oid
CROSS JOIN LATERAL (SELECT k.contype IN ('p', 'u') AND rel.relkind = 'r'
 AND rel.bytes > $1::bigint AND m.amname = 'btree'
 AND NOT i.indisexclusion AS apart) b
ORDER BY 1
