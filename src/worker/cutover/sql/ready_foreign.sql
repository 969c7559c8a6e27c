-- ready_foreign - sessions that write to captured tables of the side that follows: what they write goes
-- over what is carried, or is lost.
SELECT 'process ' || l.pid, coalesce('role ' || a.usename || coalesce(' (' || nullif(a.application_name, '') || ')', ''),
	'a session') || ' writes to ' || string_agg(DISTINCT l.relation::regclass::text, ', ') || ', which follows',
	'end what writes there; SELECT pg_terminate_backend(' || l.pid || ') if nobody does'
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND l.relation = ANY (current_setting('bucardo_machine.tables')::oid[])
AND l.pid IS NOT NULL AND coalesce(a.application_name, '') !~ '^bucardo'
GROUP BY l.pid, a.usename, a.application_name ORDER BY 1
