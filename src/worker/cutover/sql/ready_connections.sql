-- ready_connections - whether $1 sessions of applications find room here.
SELECT CASE WHEN $1::int <= free THEN 'ready' ELSE 'not_ready' END, $1 || ' come, ' || free || ' fit',
	CASE WHEN $1::int <= free THEN '' ELSE 'not all sessions of the applications would get a connection' END,
	CASE WHEN $1::int <= free THEN '' ELSE 'raise max_connections, or CONNECTION LIMIT of the database; or --accept connections' END
FROM (SELECT greatest(0, least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
	- (SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL),
	(SELECT CASE WHEN datconnlimit >= 0 THEN datconnlimit - (SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database()) END FROM pg_database WHERE datname = current_database()))) AS free) x
