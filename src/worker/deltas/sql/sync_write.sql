-- sync_write - $4 a sync, inactive, $3 its herd, $5 its dbgroup; the others are of its neighbours
-- in one table of steps. In the control database.
INSERT INTO bucardo.sync (name, herd, dbs, autokick, status, analyze_after_copy)
SELECT $4, $3, $5, false, 'inactive', false WHERE $1 <> '' AND $2 <> '' AND $6 <> ''
ON CONFLICT (name) DO NOTHING
