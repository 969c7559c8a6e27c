-- doctor_foreign - sessions that write to captured tables of the side that follows.
SELECT l.pid, coalesce(a.usename, 'unknown') AS role,
	coalesce(nullif(a.application_name, ''), 'without a name') AS application,
	string_agg(DISTINCT l.relation::regclass::text, ', ') AS tables,
	coalesce(to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC', 'an unknown time') AS since,
	left(regexp_replace(coalesce(a.query, ''), '\s+', ' ', 'g'), 120) AS query,
	'SELECT pg_terminate_backend(' || l.pid || ')' AS cure
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND l.relation = ANY (current_setting('bucardo_machine.tables')::oid[])
AND l.pid IS NOT NULL AND coalesce(a.application_name, '') !~ '^bucardo'
GROUP BY l.pid, a.usename, a.application_name, a.xact_start, a.query ORDER BY 1
