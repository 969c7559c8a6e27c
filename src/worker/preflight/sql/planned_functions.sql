-- planned_functions - functions that the planner calls by itself, with the rights of whoever asks: ours are a superuser's.
SELECT 'role ' || quote_ident(r.rolname), 'its functions stand in indexes, statistics or constraints on the source ('
    || left(string_agg(DISTINCT p.oid::regprocedure::text, ', '), 200) || ') and are called when a query on their tables is planned,'
    ' with the rights of who asks: ' || quote_ident(current_user) || ' is a superuser, so this role can become one',
  'where it is not trusted, give the machine a role that is no superuser: README, Before you start'
  FROM pg_depend d JOIN pg_proc p ON p.oid = d.refobjid JOIN pg_roles r ON r.oid = p.proowner
  WHERE d.refclassid = 'pg_proc'::regclass AND p.oid >= 16384 AND NOT r.rolsuper
    AND d.classid IN ('pg_class'::regclass, 'pg_statistic_ext'::regclass, 'pg_constraint'::regclass)
    AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
  GROUP BY r.rolname ORDER BY 1
