-- kid_session - whether the session $1 of a KID works, and who blocks it. Waiting for its client, a lock
-- or another process is not work.
SELECT a.state = 'active' AND coalesce(a.wait_event_type, '') NOT IN
 ('Lock', 'Client', 'IPC', 'Activity', 'Extension'),
coalesce(w.blocker, 0), coalesce(left(b.query, 200), '')
FROM pg_stat_activity a
LEFT JOIN LATERAL (SELECT (pg_blocking_pids(a.pid))[1] AS blocker
 WHERE a.wait_event_type = 'Lock') w ON true
LEFT JOIN pg_stat_activity b ON b.pid = w.blocker
WHERE a.pid = $1::int AND a.application_name LIKE 'bucardo KID%' LIMIT 1
