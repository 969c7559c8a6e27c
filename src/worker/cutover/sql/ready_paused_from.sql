-- ready_paused_from - tables whose changes wait, as a JSON list of their names and whether they are still here.
SELECT coalesce(json_agg(json_build_array(x.tablename, to_regclass(x.tablename) IS NOT NULL)), '[]')
FROM (SELECT DISTINCT n.tablename FROM bucardo.bucardo_delta_names n
	WHERE n.sync ~ ('^' || current_setting('bucardo_machine.migration') || '_sync(_[2-8])? \(paused\)$')) x
