-- teardown_sessions - how many sessions of Bucardo our role has in the database. On either side.
SELECT count(*) FROM pg_stat_activity a WHERE a.datname = current_database()
AND a.pid <> pg_backend_pid() AND a.usename = current_user AND a.application_name ~* '^bucardo'
AND a.application_name <> 'bucardo-machine teardown'
