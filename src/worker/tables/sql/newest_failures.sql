-- newest_failures - the newest failed run of each sync of migration $1, as one text.
SELECT coalesce(string_agg(r.sync || r.ended, ',' ORDER BY r.sync, r.ended), '')
FROM bucardo.syncrun r JOIN bucardo.sync s ON s.name = r.sync
JOIN bucardo.dbmap d ON d.dbgroup = s.dbs AND d.db = $1 || '_source'
WHERE r.lastbad AND r.ended IS NOT NULL
