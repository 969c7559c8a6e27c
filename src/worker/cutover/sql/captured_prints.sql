-- captured_prints - of each captured table of migration $1 something that ALTER TABLE, and whoever switches a
-- trigger, makes another: one JSON object. So for all enums, composites and domains. Cheap, for the freeze.
SELECT json_object_agg(y.name, y.print) FROM (SELECT m.tablename AS name, concat_ws(' ', c.oid, c.relfilenode,
	(SELECT string_agg(concat_ws(' ', t.oid, t.xmin, t.tgenabled), ',' ORDER BY t.oid) FROM pg_trigger t
		WHERE t.tgrelid = c.oid AND t.tgname ~ '^bucardo_(delta$|note_trunc_)'),
	(SELECT md5(string_agg(concat_ws(' ', a.attnum, a.xmin), ',' ORDER BY a.attnum)) FROM pg_attribute a
		WHERE a.attrelid = c.oid AND a.attnum > 0)) AS print
FROM (SELECT DISTINCT d.tablename FROM bucardo.machine_captured d JOIN bucardo.machine_runs r USING (sync)
	WHERE r.migration = $1) m LEFT JOIN pg_class c ON c.oid = to_regclass(m.tablename)
UNION ALL SELECT 'a type', concat_ws(' ',
	(SELECT md5(string_agg(concat_ws(' ', e.oid, e.xmin), ',' ORDER BY e.oid)) FROM pg_enum e),
	(SELECT md5(string_agg(concat_ws(' ', a.attrelid, a.attnum, a.xmin), ',' ORDER BY a.attrelid, a.attnum))
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'c' WHERE a.attnum > 0),
	(SELECT md5(string_agg(concat_ws(' ', d.oid, d.xmin), ',' ORDER BY d.oid)) FROM pg_type d WHERE d.typtype = 'd'),
	(SELECT md5(string_agg(concat_ws(' ', d.oid, d.xmin), ',' ORDER BY d.oid)) FROM pg_constraint d WHERE d.contypid <> 0))) y
