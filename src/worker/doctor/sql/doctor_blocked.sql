-- doctor_blocked - sessions of ours that wait for a lock, and who holds it: a row each.
SELECT w.pid AS waiter, w.application_name AS waiting,
	extract(epoch FROM clock_timestamp() - w.query_start)::bigint AS wait_sec,
	(SELECT coalesce(l.relation::regclass::text, l.locktype) FROM pg_locks l
		WHERE l.pid = w.pid AND NOT l.granted LIMIT 1) AS locked,
	b.pid, coalesce(a.usename, 'unknown') AS role, coalesce(nullif(a.application_name, ''), 'without a name') AS application,
	coalesce(a.state, CASE WHEN b.pid = 0 THEN 'a prepared transaction' ELSE 'unknown' END) AS state,
	coalesce(to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC', 'an unknown time') AS since,
	left(regexp_replace(coalesce(a.query, ''), '\s+', ' ', 'g'), 120) AS query,
	CASE WHEN b.pid > 0 THEN 'SELECT pg_terminate_backend(' || b.pid || ')'
		ELSE coalesce((SELECT string_agg('ROLLBACK PREPARED ' || quote_literal(p.gid), '; ' ORDER BY p.prepared)
			FROM pg_prepared_xacts p WHERE p.database = current_database()), '') END AS cure
FROM pg_stat_activity w
CROSS JOIN LATERAL (SELECT DISTINCT unnest(pg_blocking_pids(w.pid)) AS pid) b
LEFT JOIN pg_stat_activity a ON a.pid = b.pid
WHERE w.datname = current_database() AND w.application_name ~ '^bucardo' AND w.wait_event_type = 'Lock'
AND coalesce(a.application_name, '') !~ '^bucardo'
ORDER BY 3 DESC
