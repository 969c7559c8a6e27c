-- doctor_connections - what limits the sessions here: the server, the database, the role of the machine.
SELECT x.*, x.most - x.used AS free, (100 * x.used / greatest(x.most, 1))::int AS percent
FROM (SELECT 'the server (max_connections)' AS what,
		current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most,
		(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int AS used,
		'raise max_connections, which takes a restart of the server' AS cure
	UNION ALL SELECT 'database ' || quote_ident(d.datname), d.datconnlimit, (SELECT count(*) FROM pg_stat_activity
		WHERE datname = d.datname AND backend_type = 'client backend')::int,
		format('ALTER DATABASE %I CONNECTION LIMIT -1', d.datname)
	FROM pg_database d WHERE d.datname = current_database() AND d.datconnlimit >= 0
	UNION ALL SELECT 'role ' || quote_ident(r.rolname), r.rolconnlimit, (SELECT count(*) FROM pg_stat_activity
		WHERE usename = r.rolname AND backend_type = 'client backend')::int,
		format('ALTER ROLE %I CONNECTION LIMIT -1', r.rolname)
	FROM pg_roles r WHERE r.rolname = session_user AND r.rolconnlimit >= 0) x
ORDER BY x.most - x.used
