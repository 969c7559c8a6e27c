-- captured_prints - of each captured table of migration $1 something that ALTER TABLE, and whoever switches a
-- trigger, makes another: one JSON object. Cheap, for the freeze.
SELECT json_object_agg(m.tablename, concat_ws(' ', c.oid, c.relfilenode,
	(SELECT string_agg(concat_ws(' ', t.oid, t.xmin, t.tgenabled), ',' ORDER BY t.oid) FROM pg_trigger t
		WHERE t.tgrelid = c.oid AND t.tgname ~ '^bucardo_(delta$|note_trunc_)'),
	(SELECT md5(string_agg(concat_ws(' ', a.attnum, a.xmin), ',' ORDER BY a.attnum)) FROM pg_attribute a
		WHERE a.attrelid = c.oid AND a.attnum > 0)))
FROM (SELECT DISTINCT d.tablename FROM bucardo.machine_captured d JOIN bucardo.machine_runs r USING (sync)
	WHERE r.migration = $1) m LEFT JOIN pg_class c ON c.oid = to_regclass(m.tablename)
