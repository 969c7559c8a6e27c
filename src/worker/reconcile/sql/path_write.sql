-- path_write - $1 a migration, $2 side, table and path of each as a JSON list: written where they
-- differ, and no others stay. In the control database.
WITH new AS (SELECT * FROM json_to_recordset($2::json) AS x (side text, tablename text, path text)),
gone AS (DELETE FROM bucardo.machine_paths p WHERE p.migration = $1 AND NOT EXISTS (SELECT 1 FROM new
 WHERE new.side = p.side AND new.tablename = p.tablename))
INSERT INTO bucardo.machine_paths AS p SELECT $1, side, tablename, path FROM new
ON CONFLICT (migration, side, tablename) DO UPDATE SET path = excluded.path WHERE p.path <> excluded.path
