-- keys_with_enums - enums in delta tables, as an older machine made them: the tables are looked at
-- again. On either side.
UPDATE bucardo.machine_keys m SET mark = NULL WHERE m.mark IS NOT NULL AND EXISTS (SELECT 1
FROM bucardo.bucardo_delta_names d JOIN pg_attribute a ON a.attrelid =
 to_regclass('bucardo.' || d.deltaname) AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type y ON y.oid = a.atttypid AND y.typtype = 'e' WHERE d.tablename = m.name)
