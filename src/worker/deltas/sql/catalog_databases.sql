-- catalog_databases - the databases that Bucardo uses, at most $1. Inactive ones are left alone, as Bucardo
-- leaves them alone.
SELECT d.name, EXISTS (SELECT 1 FROM bucardo.dbmap m
 WHERE m.db = d.name AND m.role = 'source') AS is_source,
d.dbhost, d.dbport, d.dbname, d.dbuser, d.dbpass, d.dbservice, d.dbconn
FROM bucardo.db d
WHERE d.dbtype = 'postgres' AND d.status <> 'inactive'
ORDER BY d.name LIMIT $1
