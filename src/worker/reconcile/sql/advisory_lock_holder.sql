-- advisory_lock_holder - whose session has the advisory lock with the keys $1 and $2, not shared; $3: 2 for two keys of four
-- bytes, 1 for one of eight.
SELECT format('process %s (role %s, application ''%s'')', a.pid, quote_ident(a.usename), a.application_name)
  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
  JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
  WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ExclusiveLock' AND l.objsubid = $3::int
    AND l.classid = $1::oid AND l.objid = $2::oid ORDER BY a.backend_start LIMIT 1
