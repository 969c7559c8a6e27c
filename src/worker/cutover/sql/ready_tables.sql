-- ready_tables - the tables of migration $1 that are captured here, as a JSON list of names, quoted; without
-- those that were dropped here meanwhile.
SELECT coalesce(json_agg(DISTINCT n.tablename), '[]')
FROM bucardo.bucardo_delta_names n
WHERE n.sync ~ ('^' || $1 || '_sync(_[2-8])?( \(paused\))?$')
	AND to_regclass(n.tablename) IS NOT NULL
