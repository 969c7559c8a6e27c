-- accept_holders - statements that end the sessions that hold the table of owners; NULL: none does.
-- On either side.
SELECT string_agg('SELECT pg_terminate_backend(' || l.pid || ')', '; ')
FROM pg_catalog.pg_locks l WHERE l.granted AND l.pid <> pg_backend_pid()
AND l.relation = to_regclass('bucardo.machine_owners')
