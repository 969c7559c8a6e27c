-- sync_by_members - $1 a sync: active while it has a table. What the master is to be told when that
-- changes. In the control database.
UPDATE bucardo.sync s SET status = CASE WHEN x.n = 0 THEN 'inactive' ELSE 'active' END
FROM (SELECT count(*) AS n FROM bucardo.herdmap h JOIN bucardo.sync o ON o.herd = h.herd
 WHERE o.name = $1) x WHERE s.name = $1
AND s.status <> CASE WHEN x.n = 0 THEN 'inactive' ELSE 'active' END
RETURNING CASE WHEN x.n = 0 THEN 'deactivate_sync_' ELSE 'activate_sync_' END || $1
