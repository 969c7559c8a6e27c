-- catalog_members - the databases of each sync, and the sessions of its open run there. dbrun rows of a
-- killed run stay behind; they count while a run is open only.
SELECT s.name, m.db, m.role = 'source', coalesce((SELECT max(b.pgpid)
 FROM bucardo.dbrun b WHERE b.sync = s.name AND b.dbname = m.db
 AND EXISTS (SELECT 1 FROM bucardo.syncrun r WHERE r.sync = s.name
  AND r.ended IS NULL AND r.started <= b.started)), 0)
FROM bucardo.sync s JOIN bucardo.dbmap m ON m.dbgroup = s.dbs
ORDER BY s.name, m.db
