-- doctor_kids - the processes of the KIDs; their sessions carry them in the title.
SELECT substring(a.application_name FROM '^bucardo KID \((.*)\) \(PID ') AS sync,
	substring(a.application_name FROM '\(PID (\d{1,9})\)$')::int AS pid
FROM pg_stat_activity a WHERE a.datname = current_database() AND a.application_name LIKE 'bucardo KID (%'
AND a.application_name ~ ('^bucardo KID \(' || current_setting('bucardo_machine.migration') || '_sync')
ORDER BY 1
