-- ready_captured - captured tables that changed behind our triggers since they were captured (machine_capture_watch): the
-- look at the tables, each 20 s, sees that as well, and has all their rows sent again.
SELECT w.tablename, w.gap, 'it is captured again, and all its rows are sent again, within seconds: ask again'
FROM bucardo.machine_capture_watch((SELECT json_agg(DISTINCT r.sync) FROM bucardo.machine_runs r
	WHERE r.migration = current_setting('bucardo_machine.migration'))) w WHERE w.gap <> '' ORDER BY 1
