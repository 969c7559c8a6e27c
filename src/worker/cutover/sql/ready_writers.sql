-- ready_writers - transactions that write to captured tables and were there at the first look already, or
-- are older than a quarter of the budget: the freeze would wait for them. Not all roles may see whose they are.
SELECT 'process ' || l.pid, coalesce('role ' || a.usename || coalesce(' (' || nullif(a.application_name, '') || ')', '')
	|| coalesce(', ' || a.state, '') || coalesce(', since ' || to_char(a.xact_start AT TIME ZONE 'UTC', 'HH24:MI:SS')
	|| ' UTC', '') || coalesce(': ' || nullif(left(regexp_replace(a.query, '\s+', ' ', 'g'), 80), ''), ''), 'a session')
	|| ' has written to ' || string_agg(DISTINCT l.relation::regclass::text, ', ') || ' and has not committed',
	'let it end; SELECT pg_terminate_backend(' || l.pid || ') if nobody does'
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.mode IN ('RowShareLock', 'RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock')
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND l.relation = ANY (current_setting('bucardo_machine.tables')::oid[])
AND l.pid IS NOT NULL AND coalesce(a.application_name, '') !~ '^bucardo'
AND (l.virtualtransaction = ANY (current_setting('bucardo_machine.writing')::text[])
	OR clock_timestamp() - a.xact_start > current_setting('bucardo_machine.budget')::int / 4 * interval '1 ms')
GROUP BY l.pid, a.usename, a.application_name, a.state, a.xact_start, a.query ORDER BY 1
