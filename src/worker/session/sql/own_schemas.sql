-- own_schemas - nobody else has a say in the schemas of the machine and of Bucardo.
-- A role that could put a function of its own there would have it called with our rights, so a foreign
-- owner is refused where our rights are a superuser's. Rights that the default privileges of our role, or a
-- person, gave away on what is ours are taken back: to write there, or to put a trigger on it. Reading stays.
-- In each pass: 70 to 110 ms where a database has 80,000 relations (PostgreSQL 15).
DO $machine$
DECLARE n record; g record;
BEGIN
  FOR n IN SELECT o.what, o.nspname, r.rolname FROM (
      SELECT 'schema ' || quote_ident(s.nspname) AS what, s.nspname, s.nspowner AS owner FROM pg_catalog.pg_namespace s
      UNION ALL SELECT 'function ' || p.oid::regprocedure, s.nspname, p.proowner FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_namespace s ON s.oid = p.pronamespace
      UNION ALL SELECT 'relation ' || c.oid::regclass, s.nspname, c.relowner FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace) o
    JOIN pg_catalog.pg_roles r ON r.oid = o.owner
    WHERE o.nspname IN ('bucardo', 'bucardo_machine') AND r.rolname <> current_user AND NOT r.rolsuper
      AND (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) LIMIT 1
  LOOP
    RAISE EXCEPTION '% belongs to role %, which could put functions of its own in place of the machine''s: they would run with the rights of %; look what is in it; then DROP SCHEMA % CASCADE, or make % the owner of it and of all that is in it',
      n.what, quote_ident(n.rolname), quote_ident(current_user), n.nspname, quote_ident(current_user)
      USING ERRCODE = 'insufficient_privilege';
  END LOOP;
  FOR g IN SELECT format('REVOKE %s ON %s FROM %s', string_agg(DISTINCT a.privilege_type, ', '), o.what,
        CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END) AS revoke
    FROM (SELECT 'SCHEMA ' || quote_ident(s.nspname) AS what, s.nspacl AS acl, s.nspowner AS owner, s.nspname
        FROM pg_catalog.pg_namespace s
      UNION ALL SELECT 'TABLE ' || c.oid::regclass, c.relacl, c.relowner, s.nspname FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v')) o
    CROSS JOIN LATERAL aclexplode(o.acl) a
    WHERE o.nspname IN ('bucardo', 'bucardo_machine') AND a.grantee <> o.owner AND pg_has_role(o.owner, 'USAGE')
      AND a.grantee <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
      AND a.privilege_type IN ('CREATE', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN')
    GROUP BY o.what, a.grantee
  LOOP
    EXECUTE g.revoke;
  END LOOP;
END $machine$
