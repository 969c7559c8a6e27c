-- doctor_transactions - transactions of others that are open for half a minute: what they changed cannot be
-- carried, vacuum keeps what they may still see, and no trigger is made on what they have used.
SELECT a.pid, coalesce(a.usename, 'unknown') AS role,
	coalesce(nullif(a.application_name, ''), 'without a name') AS application, coalesce(a.state, 'unknown') AS state,
	to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' AS since,
	extract(epoch FROM clock_timestamp() - a.xact_start)::bigint AS open_sec,
	left(regexp_replace(coalesce(a.query, ''), '\s+', ' ', 'g'), 120) AS query,
	coalesce((SELECT string_agg(DISTINCT l.relation::regclass::text, ', ') FROM pg_locks l WHERE l.pid = a.pid AND l.granted
		AND l.relation = ANY (current_setting('bucardo_machine.tables')::oid[])), 'no captured table') AS holds,
	'SELECT pg_terminate_backend(' || a.pid || ')' AS cure
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
AND a.application_name !~ '^bucardo' AND a.xact_start < clock_timestamp() - interval '30 s'
ORDER BY 6 DESC
