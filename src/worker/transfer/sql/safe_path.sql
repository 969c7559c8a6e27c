-- safe_path - may the schemas of $1 (text[]) be a search_path here, for work on relation $2 ('': on none)?
-- Only if nobody can put a function, operator, type or relation there who could not have code of his
-- run with our rights anyway: superusers, our role, the owner of the relation. The path (NULL: it may
-- not, or none of them is there), why not, and whether it may not.
WITH db AS (SELECT datdba FROM pg_database WHERE datname = current_database()),
trusted AS (SELECT r.oid FROM pg_roles r WHERE r.rolsuper OR r.rolname = current_user
    OR r.oid = (SELECT c.relowner FROM pg_class c WHERE c.oid = to_regclass(nullif($2, '')))),
path AS (SELECT n.oid, n.nspname, n.nspowner, n.nspacl, u.place FROM unnest($1::text[]) WITH ORDINALITY u (name, place)
    JOIN pg_namespace n ON n.nspname = u.name),
maker AS (SELECT nspname, nspowner AS role, 'owns schema' AS how FROM path
    UNION ALL SELECT nspname, a.grantee, 'may create in schema' FROM path, aclexplode(nspacl) a
      WHERE a.privilege_type = 'CREATE'
    UNION ALL SELECT nspname, x.role, 'owns objects in schema' FROM path JOIN (
      SELECT pronamespace AS schema, proowner AS role FROM pg_proc
      UNION SELECT oprnamespace, oprowner FROM pg_operator
      UNION SELECT typnamespace, typowner FROM pg_type
      UNION SELECT relnamespace, relowner FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')) x
      ON x.schema = path.oid),
-- Only the owner of the database has the rights of pg_database_owner.
meant AS (SELECT m.nspname, m.how, CASE WHEN r.rolname = 'pg_database_owner' THEN (SELECT datdba FROM db)
      ELSE m.role END AS role FROM maker m LEFT JOIN pg_roles r ON r.oid = m.role),
unsafe AS (SELECT DISTINCT CASE m.role WHEN 0 THEN 'anybody' ELSE 'role ' || quote_ident(pg_get_userbyid(m.role)) END
      || ' ' || m.how || ' ' || quote_ident(m.nspname) AS why
    FROM meant m WHERE m.role NOT IN (SELECT oid FROM trusted))
SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM unsafe) THEN
    (SELECT string_agg(quote_ident(nspname), ', ' ORDER BY place) || ', pg_temp' FROM path) END,
  coalesce((SELECT string_agg(why, ', ') FROM (SELECT why FROM unsafe ORDER BY 1 LIMIT 3) w),
    'the destination has none of its schemas'), EXISTS (SELECT 1 FROM unsafe)
