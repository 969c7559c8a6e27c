-- apply_whole_columns - $1 a table: its columns in their order, without those that are generated.
-- On either side.
SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
AND coalesce(to_jsonb(a)->>'attgenerated', '') = ''
