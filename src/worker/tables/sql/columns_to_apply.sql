-- columns_to_apply - the columns of each table that has generated ones, which no server takes a value
-- for (as in selected_tables.sql), but for those of the schemas $1.
SELECT t.name, 'SELECT ' || x.columns FROM (SELECT c.oid,
 quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
 AND n.nspname <> ALL ($1::text[])) t
CROSS JOIN LATERAL (SELECT coalesce((SELECT CASE WHEN bool_or(coalesce(to_jsonb(a)->>'attgenerated', '') <> '')
    THEN string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
    FILTER (WHERE coalesce(to_jsonb(a)->>'attgenerated', '') = '') END
  FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped), '') AS columns) x WHERE x.columns <> ''
