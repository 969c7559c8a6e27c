-- ready_connections_from - sessions of applications in this database.
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
AND coalesce(application_name, '') !~ '^bucardo' AND coalesce(backend_type, 'client backend') = 'client backend'
