-- apply_captured - the captured tables of migration $1 on this side: name, delta table, track table, sync, what
-- marks its changes as done, whether the table is paused, the columns of the key as a JSON list, NULL: the delta
-- table is gone.
SELECT d.tablename, d.deltaname, d.trackname, m.sync, m.target, d.sync <> m.sync,
  (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = to_regclass('bucardo.' || d.deltaname)
    AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'txntime')
FROM bucardo.machine_runs r JOIN bucardo.machine_syncs m ON m.sync = r.sync
JOIN bucardo.bucardo_delta_names d ON d.sync IN (m.sync, m.sync || ' (paused)')
WHERE r.migration = $1 ORDER BY d.tablename
