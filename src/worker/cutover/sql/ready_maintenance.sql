-- ready_maintenance - vacuum, ANALYZE and DDL on captured tables: every lock that keeps writers off
-- conflicts with theirs. An ordinary autovacuum lets go after deadlock_timeout, one to prevent
-- wraparound never.
SELECT l.relation::regclass::text, CASE WHEN a.query LIKE 'autovacuum: %(to prevent wraparound)%'
	THEN 'process ' || l.pid || ' vacuums it to prevent wraparound, which yields to nobody'
	WHEN a.query LIKE 'autovacuum: %' THEN 'process ' || l.pid || ' vacuums or analyzes it by itself'
	ELSE 'process ' || l.pid || coalesce(' of role ' || a.usename, '') || ' holds ' || l.mode ||
		coalesce(' for: ' || nullif(left(regexp_replace(a.query, '\s+', ' ', 'g'), 80), ''), '') END,
	CASE WHEN a.query LIKE 'autovacuum: %(to prevent wraparound)%'
	THEN 'watch pg_stat_progress_vacuum; it is quicker with a smaller autovacuum_vacuum_cost_delay'
	ELSE 'let it end' END
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'AccessExclusiveLock')
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND l.relation = ANY (current_setting('bucardo_machine.tables')::oid[])
AND l.pid IS NOT NULL AND coalesce(a.application_name, '') !~ '^bucardo' ORDER BY 1
