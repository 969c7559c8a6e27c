-- teardown_end_runs - $1 a migration: the sessions of its runs are ended. On either side.
SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a WHERE a.datname = current_database()
AND a.application_name ~ ('^bucardo KID [(]' || $1 || '_sync(_[2-8])?[)]')
AND pg_has_role(a.usesysid, 'MEMBER')
