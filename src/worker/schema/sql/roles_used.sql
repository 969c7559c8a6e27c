-- roles_used - the roles that this database's objects name, and what those are members of: rights, how
-- many objects name each, and how many it owns. The role that a cluster begins with owns things
-- without being noted for it.
WITH RECURSIVE noted (oid, objects, owned) AS (SELECT s.refobjid, count(*),
 count(*) FILTER (WHERE s.deptype = 'o') FROM pg_shdepend s
 WHERE s.refclassid = 'pg_authid'::regclass AND s.dbid = (SELECT oid FROM pg_database
  WHERE datname = current_database()) GROUP BY 1 UNION ALL
 SELECT 10::oid, count(*), count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relowner = 10 AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname !~ '^pg_'
  AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')),
used (oid) AS ((SELECT oid FROM noted UNION SELECT oid FROM pg_roles WHERE rolname ~ '^pg_')
 UNION SELECT m.roleid FROM used
 JOIN pg_auth_members m ON m.member = used.oid)
SELECT r.rolname, r.rolsuper, coalesce((SELECT sum(objects) FROM noted WHERE oid = r.oid), 0),
concat_ws(' ', CASE WHEN NOT r.rolinherit THEN 'NOINHERIT' END,
 CASE WHEN r.rolcreatedb THEN 'CREATEDB' END, CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
 CASE WHEN r.rolconnlimit >= 0 THEN 'CONNECTION LIMIT ' || r.rolconnlimit END),
coalesce((SELECT sum(owned) FROM noted WHERE oid = r.oid), 0)
FROM used JOIN pg_roles r USING (oid) ORDER BY 1
