-- verify_waiting - the captured tables of migration $1, and from where the keys are read that are not marked as applied.
SELECT d.tablename, format('bucardo.%s d WHERE NOT EXISTS (SELECT 1 FROM bucardo.%s t WHERE t.txntime = d.txntime'
  ' AND t.target = %L)', d.deltaname, d.trackname, m.target)
FROM bucardo.machine_runs r JOIN bucardo.machine_syncs m ON m.sync = r.sync
JOIN bucardo.bucardo_delta_names d ON d.sync = m.sync
WHERE r.migration = $1 AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL
