-- syncs_of_migration - $1 a migration: its syncs, what marks their rows as done, whether they
-- replicate in both directions. In the control database.
SELECT s.name, 'dbgroup ' || s.dbs, (SELECT count(*) FROM bucardo.dbmap m
 WHERE m.dbgroup = s.dbs AND m.role = 'source') > 1
FROM bucardo.sync s JOIN bucardo.dbmap d ON d.dbgroup = s.dbs
WHERE d.db = $1 || '_source' AND d.role = 'source' ORDER BY s.name
