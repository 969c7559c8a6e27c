-- captured_of_migration - $1 a migration: its captured tables, paused ones too. On the live side.
SELECT DISTINCT d.tablename FROM bucardo.bucardo_delta_names d
JOIN bucardo.machine_syncs m ON m.sync =
 regexp_replace(d.sync, ' \(paused\)$', '')
WHERE m.target = 'dbgroup ' || $1 || '_dbs' ORDER BY 1
