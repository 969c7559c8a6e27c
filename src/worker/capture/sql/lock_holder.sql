-- lock_holder - $1 a table: who holds a lock on it that a trigger has to wait for, what is known
-- of that process, what helps, and whether it is an autovacuum that yields; no row when nobody.
SELECT a.pid, CASE
    WHEN kind = 'wraparound' THEN 'an autovacuum to prevent wraparound'
    WHEN kind = 'autovacuum' THEN 'an autovacuum, as it seems'
    ELSE coalesce(a.usename, '?') || ', ' || coalesce(a.state, '?') END
  || ' since ' || date_trunc('second', coalesce(a.state_change, a.xact_start, a.backend_start, now())),
  CASE
    WHEN kind = 'wraparound' THEN 'wait for its end (pg_stat_progress_vacuum): it yields to nobody,'
      ' and begins anew when it is ended; VACUUM (FREEZE) before the migration avoids it'
    WHEN kind = 'autovacuum' THEN 'wait for its end (pg_stat_progress_vacuum): it does not yield, so'
      ' it is perhaps one to prevent wraparound'
    ELSE 'end its transaction; or on that side: SELECT pg_terminate_backend(' || a.pid || ')' END,
  kind = 'autovacuum'
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
CROSS JOIN LATERAL (SELECT CASE
    WHEN a.query LIKE 'autovacuum: %(to prevent wraparound)%' THEN 'wraparound'
    WHEN l.mode = 'ShareUpdateExclusiveLock' AND a.usename IS NULL THEN 'autovacuum'
    ELSE '' END AS kind) k
WHERE l.granted AND l.relation = to_regclass($1) AND a.pid <> pg_backend_pid()
AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
AND l.mode <> 'AccessShareLock' AND l.mode <> 'RowShareLock'
AND a.application_name NOT LIKE 'bucardo-machine%'
ORDER BY a.xact_start LIMIT 1
