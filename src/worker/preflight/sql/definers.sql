-- definers - what runs with the rights of its owner, of the roles $1 (a JSON array of names, which the destination
-- does not have): the role, whether these are routines (else views), how many, the first of them.
SELECT quote_ident(r.rolname), x.is_routine, count(*), (array_agg(x.name ORDER BY x.name))[1]
FROM (SELECT p.proowner AS owner, true AS is_routine, p.oid::regprocedure::text AS name FROM pg_proc p
  WHERE p.prosecdef AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  UNION ALL SELECT c.relowner, false, c.oid::regclass::text FROM pg_class c
  WHERE c.relkind = 'v' AND NOT coalesce(c.reloptions @> ARRAY['security_invoker=true'], false)
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')) x
JOIN pg_roles r ON r.oid = x.owner AND NOT r.rolsuper
WHERE r.rolname IN (SELECT json_array_elements_text($1::json)) GROUP BY r.rolname, x.is_routine ORDER BY 1, 2 DESC
