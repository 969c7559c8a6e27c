-- largest_tables - $1 a migration, $2 how many: of its captured tables those that take most room, with TOAST
-- and without indexes: name, bytes, about how many rows (NULL unknown), bytes of the changes that are kept.
-- What somebody locks against everybody is as the last VACUUM or ANALYZE found it: nobody is waited for.
-- On the live side.
WITH held AS (SELECT l.relation FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    AND d.datname = current_database() WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'),
captured AS (SELECT DISTINCT d.tablename, to_regclass('bucardo.' || d.deltaname) AS delta
  FROM bucardo.bucardo_delta_names d JOIN bucardo.machine_syncs m ON m.sync = regexp_replace(d.sync, ' \(paused\)$', '')
  WHERE m.target = 'dbgroup ' || $1::text || '_dbs'),
changes AS (SELECT x.tablename, sum(CASE WHEN c.oid IN (SELECT relation FROM held)
    THEN c.relpages::bigint * current_setting('block_size')::bigint ELSE pg_table_size(c.oid) END)::bigint AS bytes
  FROM captured x LEFT JOIN pg_catalog.pg_class c ON c.oid = x.delta GROUP BY 1)
SELECT t.tablename, CASE WHEN c.oid IN (SELECT relation FROM held)
    THEN c.relpages::bigint * current_setting('block_size')::bigint ELSE pg_table_size(c.oid) END,
  CASE WHEN s.n_live_tup > 0 THEN s.n_live_tup WHEN c.reltuples > 0 THEN c.reltuples::bigint END, t.bytes
FROM changes t JOIN pg_catalog.pg_class c ON c.oid = to_regclass(t.tablename)
LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
ORDER BY 2 DESC NULLS LAST, 1 LIMIT $2::int
