-- db_write - $1 to $6 a database as Bucardo reaches it; a row that says the same is not written. In
-- the control database.
INSERT INTO bucardo.db (name, dbhost, dbport, dbname, dbuser, dbconn)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO UPDATE
SET dbhost = excluded.dbhost, dbport = excluded.dbport,
dbname = excluded.dbname, dbuser = excluded.dbuser,
dbconn = excluded.dbconn WHERE (db.dbhost, db.dbport, db.dbname,
db.dbuser, db.dbconn) IS DISTINCT FROM (excluded.dbhost,
excluded.dbport, excluded.dbname, excluded.dbuser, excluded.dbconn)
