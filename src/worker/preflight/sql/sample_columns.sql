-- sample_columns - of table $1: its columns; the same as a definition (types of PostgreSQL itself are there
-- on both sides, all others are text here); the condition of rows without values of $2 bytes and more.
SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
string_agg('c' || a.attnum || ' ' || CASE WHEN y.oid < 16384
 AND y.typtype = 'b' AND y.typname !~ '^_?(reg|xml|pg_)'
 THEN format_type(a.atttypid, a.atttypmod) ELSE 'text' END, ', '
 ORDER BY a.attnum),
coalesce(string_agg('coalesce(pg_column_size(' || quote_ident(a.attname)
 || '), 0) < ' || $2::text, ' AND ') FILTER (WHERE a.attlen < 0), 'true'),
current_setting('client_encoding')
FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
AND coalesce(to_jsonb(a)->>'attgenerated', '') = ''
