-- held_tables - of the tables $1 (oids) those that a writer holds at this moment, and the fewest that one
-- of its writers holds together.
SELECT x.relation, min(x.together) FROM (SELECT l.relation, count(*) OVER (PARTITION BY l.pid) AS together
  FROM pg_locks l WHERE l.locktype = 'relation' AND l.granted AND l.mode IN ('RowExclusiveLock', 'RowShareLock')
  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
  AND l.pid <> pg_backend_pid() AND l.relation = ANY ($1::oid[])) x
GROUP BY x.relation
