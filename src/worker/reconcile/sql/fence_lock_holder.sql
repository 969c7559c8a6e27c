-- fence_lock_holder - whose session has the advisory lock by which the sides change places, not shared.
SELECT format('process %s (role %s, application ''%s'')', a.pid, quote_ident(a.usename), a.application_name)
  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
  JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
  WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ExclusiveLock' AND l.objsubid = 2
    AND l.classid = 1651860321 AND l.objid = 1 ORDER BY a.backend_start LIMIT 1
