-- verify_definition - what a table ($1, quoted and qualified) is now: its OID and its columns, as verify_tables.sql
-- said it at first; '' when it is gone.
SELECT coalesce((SELECT (SELECT concat_ws(' ', c.oid, string_agg(concat_ws(' ', a.attnum, quote_ident(a.attname), a.atttypid, a.atttypmod),
    ',' ORDER BY a.attnum)) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
  FROM pg_class c WHERE c.oid = to_regclass($1)), '')
