-- dbmap_write - $2 a dbgroup, $3 its source, $4 the other database and $5 its role; $1 is of its
-- neighbours in one table of steps. In the control database.
INSERT INTO bucardo.dbmap (db, dbgroup, role) SELECT m.db, $2, m.role
FROM (VALUES ($3, 'source'), ($4, $5)) AS m(db, role) WHERE $1 <> ''
ON CONFLICT (db, dbgroup) DO NOTHING
